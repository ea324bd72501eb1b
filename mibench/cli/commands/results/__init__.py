"""Look after a results folder."""

PURPOSE = "Look after"
