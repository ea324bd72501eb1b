"""What everything else is built on: errors, parameters, the registry, and what each kind of component is.

Imports no other room. Start with `registry` (how a name becomes a class), then read what a component is: `task`,
`estimator`, `critic` with its `scorer`, `sampler`. `scores` has the log-space helpers that estimators are written in.
"""
