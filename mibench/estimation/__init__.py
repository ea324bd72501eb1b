"""Mutual information of a user's own arrays: input as people have it, and what must be known of it before a number.

Imports core and the estimators' treatment of columns; reading input imports no torch, and pandas and pyarrow only where
they are needed. Start with `pairs`, whose `read_pair` is what a command calls: `sources` says what a table is,
`objects` and `files` make one of what was given, `columns` tells numbers from labels, `sides` puts a side together,
`report` says what was found. `scores` brings columns to one scale, `contents` names rows by what they hold, `copies`
finds rows that were copied, `folds` divides them, `collinearity` and `dependence` look for what an estimator would
trip over.
"""
