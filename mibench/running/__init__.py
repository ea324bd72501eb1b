"""What is missing of a grid, shared out to worker processes, whatever becomes of them.

Imports training, store and experiments. Start with `runner`; `plan` compares a grid with a folder, an engine runs the
packs, each in a child process that may die.
"""
