"""Public packages: their environments, and what they are found to do with units, scales, ties and seeds.

The adapters lie in `mibench.estimators.packages`, which makes estimators of them.
"""
