"""Look after a results folder."""
