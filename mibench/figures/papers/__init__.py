"""The papers' figures, drawn anew from rows, each with the claim that it judges."""
