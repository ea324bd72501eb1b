"""Pictures of one estimate, one a file: the panel, growth with the sample, calibration, permutations.

Notable: they are drawn from an `Estimate` and not from stored rows, hence have a registry of their own; none shows a
row of the sample. Start with `registry`.
"""
