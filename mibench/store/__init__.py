"""Stored results: three tables of Parquet files, written whole, read with care.

Imports core and experiments' specifications; no torch. Start with `columns`, where every column stands once; `parquet`
has one file, `reading` many, `copies` says which of a run's rows count, `index` what is known of the files without
opening them, `folders` reads tables, and `maintenance` merges, compacts and verifies.
"""
