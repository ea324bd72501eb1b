"""The registries as they were: what is registered or loaded in a block is undone after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mibench.core import plugins, registry


@contextlib.contextmanager
def registered_in_vain() -> Iterator[None]:
    """Undo what a block registers or loads."""
    registries = (registry.TASKS, registry.ESTIMATORS, registry.CRITICS, registry.NEGATIVES)
    for one in registries:
        one.entries()
    before = [(dict(one._entries), dict(one._classes)) for one in registries]
    loaded, broken = dict(plugins._LOADED), list(registry.BROKEN)
    try:
        yield
    finally:
        for one, (entries, classes) in zip(registries, before, strict=True):
            # A built-in that was imported meanwhile keeps its class: its module is not imported again.
            kept = {key: cls for key, cls in one._classes.items() if key in entries}
            one._entries, one._classes = entries, {**classes, **kept}
        plugins._LOADED.clear()
        plugins._LOADED.update(loaded)
        registry.BROKEN[:] = broken
