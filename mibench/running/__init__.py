"""What is missing of a grid, shared out to worker processes, whatever becomes of them.

Imports training, store and experiments. Start with `runner`; `plan` compares a grid with a folder, one of `engines`
runs the packs by `workers`, whose processes (`worker_process`) fork a child for each (`pack_process`), which may die.
"""
