"""From what a user writes to what is run: options, their products, specifications and ids; grids and suites in TOML.

Imports core. Start with `specs` (what a run is, and its id), then `grid` (a file or options to specifications). An
option goes from `grid` through `reading` (typed values, in one pass) to `products` (runs). The grids and suites that
come with mibench lie beside the code, in ``grids/`` and ``suites/``.
"""
