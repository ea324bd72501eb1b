"""Public packages as estimators: install, list, remove, probe."""

PURPOSE = "Look after"
