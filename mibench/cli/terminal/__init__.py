"""What the commands print, by what is shown. Start with `console`: sentences and tables.

Notable: imports of rich and pandas stay inside functions where a command is to answer at once.
"""
