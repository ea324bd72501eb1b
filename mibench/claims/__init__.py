"""What papers claim, and whether the rows say so: one paper a file, pure functions from rows to verdicts.

Imports analysis; no torch. Start with `judgement`, then `gosch`.
"""
