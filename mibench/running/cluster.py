"""A Dask cluster as an engine needs it: connected to, of the right versions, and how many threads it has."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from mibench.core.errors import MibenchError, UsageError, shown
from mibench.core.version import __version__


@contextlib.contextmanager
def connected(scheduler: str | None, processes: int) -> Iterator[Any]:
    """Give a client of a running scheduler, or of a cluster that is started on this machine for the time of the block.

    Parameters
    ----------
    scheduler
        Address of a running scheduler (``tcp://host:8786``), or None.
    processes
        Processes of the cluster that is started here, of one thread each.

    Raises
    ------
    UsageError
        Where the scheduler does not answer, and where it or a worker has other versions than this process.
    MibenchError
        Where the processes here do not start.
    """
    distributed: Any = importlib.import_module("distributed")
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            client = distributed.Client(stack.enter_context(_cluster_here(distributed, processes)))
        else:
            try:
                client = distributed.Client(scheduler)
            except (OSError, ValueError, TypeError, RuntimeError) as error:  # a name, a port, a protocol, a certificate
                raise UsageError(
                    f"the Dask scheduler '{shown(scheduler)}' does not answer; check its address"
                ) from error
        stack.enter_context(client)
        # a function of the standard library, which workers without mibench have too
        mibench = client.run(pkgutil.resolve_name, "mibench.core.version:__version__", on_error="return")
        check_versions(client.get_versions(), mibench)
        yield client


def _cluster_here(distributed: Any, processes: int) -> Any:
    try:
        return distributed.LocalCluster(
            n_workers=processes,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=0,  # packs are trained by processes of their own
        )
    except RuntimeError as error:
        raise MibenchError(
            "the processes of a Dask cluster do not start here; in a script, call mibench.run under "
            "'if __name__ == \"__main__\":', since each of them imports the script"
        ) from error


def threads_of(client: Any) -> int:
    """Return the threads of all workers that the scheduler reports now."""
    threads: int = sum(client.nthreads().values())
    return threads


def check_versions(found: Mapping[str, Any], mibench: Mapping[str, Any]) -> None:
    """Refuse, by `UsageError`, a scheduler of another Dask, and workers without it or without this mibench.

    Parameters
    ----------
    found
        What ``client.get_versions()`` returns.
    mibench
        By a worker's address its version of mibench, or the exception that importing it raised.
    """
    here = _distributed(found["client"])
    if (there := _distributed(found["scheduler"])) != here:
        raise UsageError(f"the Dask scheduler has distributed {there}, and here is {here}; install the same on both")
    for address, side in sorted(found["workers"].items()):
        if (there := _distributed(side)) != here:
            raise UsageError(
                f"the Dask worker {address} has distributed {there}, and here is {here}; "
                "install the same on all machines"
            )
    for address, version in sorted(mibench.items()):
        if version != __version__:
            has = f"mibench {version}" if isinstance(version, str) else f"no mibench ({version})"
            raise UsageError(
                f"the Dask worker {address} has {has}, and here is {__version__}; install the same on all machines"
            )


def _distributed(side: Mapping[str, Any]) -> str:
    return str(side["packages"]["distributed"])
