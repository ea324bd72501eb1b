"""The commands, one a file; a package inside is a group of commands, its first line here the group's help.

Notable: these modules are imported for ``--help`` and for completion: they hold signatures and import what a command
needs inside its function.
"""
