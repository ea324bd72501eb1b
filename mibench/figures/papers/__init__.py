"""The papers' figures, drawn anew from rows, each with the claim that it judges.

Notable: files bear the figures' names, ``gosch-2`` is `gosch_2`; a file holds several where they are one function.
"""
