"""Boards: estimators ranked by their errors, with intervals and groups, and a newcomer among published rows.

Imports analysis, and for what trains or checks (`newcomers`) running and conformance; no torch. Start with `boards`;
`matrix` turns rows into runs by cells, `measures`, `statistics` and `groups` are what a board is made of, `rows` reads
the published ones, and `interface` is what Python users call.
"""
