"""The leaderboard's figures, one a file, and that of its surprises.

Notable: they rank the rows that they are given as `mibench.leaderboard` does, so that figures, tables and the command
agree to the last digit; figures of one report rank them once. Start with `errors`.
"""
