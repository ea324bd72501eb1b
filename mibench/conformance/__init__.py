"""Checks that a component keeps what the engine and the reports rely on; `mibench.testing` is their public face.

Imports core, critics, negatives and tasks. Start with `findings` (what a check is), then `estimators`, whose checks lie
in `stacking`, `values` and `bounds`; estimators that take a sample have theirs in `samples`.
"""
