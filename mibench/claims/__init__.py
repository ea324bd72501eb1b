"""What papers claim, and whether the rows say so: a file a paper, of Gosch (2020) four that bear its name.

Pure functions from rows to verdicts. Imports analysis; no torch. Start with `judgement`, then `gosch`.
"""
