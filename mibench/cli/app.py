"""The command line: a thin face of the Python interface.

Notable: nothing heavy is imported at module level, so that ``--help``, ``list`` and completion answer at once. Every
error that the user can mend is one sentence on stderr: exit code 2 for bad input, 1 where runs failed or could not be
stored, 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from mibench.cli import commands
from mibench.cli.registration import add_commands
from mibench.core.errors import MibenchError, UsageError
from mibench.core.version import __version__

app = typer.Typer(
    name="mibench",
    help="Measure mutual-information estimators: train critics over grids, keep every run, report bias and saturation.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_commands(app, commands)

# typer does not export the base of its errors about arguments; BadParameter is one of them.
_ArgumentError: type[Exception] = typer.BadParameter.__mro__[1]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    args
        Arguments; those of the process by default.
    """
    command = typer.main.get_command(app)
    try:
        _refuse_empty(sys.argv[1:] if args is None else args)
        code = command.main(args=args, prog_name="mibench", standalone_mode=False)
    except MibenchError as error:
        return _complain(str(error), error.exit_code)
    except _ArgumentError as error:
        message = error.format_message().rstrip(".") if hasattr(error, "format_message") else str(error)
        return _complain(f"{message}; see 'mibench --help'", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    if code == 130:
        return _complain("interrupted; what was stored before stays", 130)
    return code if isinstance(code, int) else 0


def _refuse_empty(args: Sequence[str]) -> None:
    """Refuse empty arguments: none means anything, and a path would become the current folder."""
    for before, argument in zip(("", *args), args, strict=False):
        name, _, value = argument.partition("=")
        if argument.startswith("--") and "=" in argument and not value:
            raise UsageError(f"option '{name}' is empty; give it a value or leave it out")
        if not argument and before.startswith("--"):
            raise UsageError(f"option '{before}' is empty; give it a value or leave it out")
        if not argument:
            raise UsageError("an argument is empty; give it a value or leave it out")


def _complain(message: str, code: int) -> int:
    """Write one line to stderr, whatever the message's own line breaks."""
    print(f"mibench: {' '.join(message.split())}", file=sys.stderr)
    return code


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())
