"""One pack of stacked runs, trained and evaluated.

Imports core, experiments' specifications, critics, negatives and the store's columns. Start with `loop`, which takes
specifications to rows; `pack` is what it trains, `regimes` and `dataset` say on which pairs, `rows` makes the result.
"""
