"""Negative samplers: which y a row is contrasted with.

Imports core. Start with `permutations`, whose fixed points put the ceiling log N on a bound; `pairs` has the samplers
that permute nothing, `proposals` those that draw from another distribution than p(y).
"""
