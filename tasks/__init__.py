"""The tasks, one family per file; imported as `mibench.tasks`.

A file adds tasks by decorating subclasses of `mibench.Task` with `mibench.register_task`; nothing else is edited.
"""

if __name__ == "tasks":
    raise ImportError("this folder is the package mibench.tasks; write 'import mibench.tasks'")
