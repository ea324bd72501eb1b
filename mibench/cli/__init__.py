"""The command line: one command a file, and what the terminal shows.

Imports every room; nothing imports it. Start with `app`. Nothing heavy is imported before a command runs. A command is
a file of `commands`; what it prints lies in `terminal`.
"""
