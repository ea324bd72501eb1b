"""Stored results: three tables of Parquet files, written whole, read with care.

Imports core and experiments' specifications; no torch. Start with `columns`, where every column stands once; `parquet`
has one file, `folders` many, `maintenance` merges, compacts and verifies them.
"""
