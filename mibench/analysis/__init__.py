"""Pure functions of stored rows: bias and variance, saturation, divergence, comparisons, and the cells of a grid.

Imports store and experiments; no torch, no files, no figures. Start with `metrics`; `labels` names what a row is.
"""
