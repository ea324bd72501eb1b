"""One typed registry for everything that has a name: tasks, estimators, critics and negative samplers.

Notable:

- Built-in components are found by reading the sources of their package, not by importing them, so that
  ``mibench list`` answers without torch. A class is imported when it is first used.
- Ids are versioned: ``nwj-v1``. A plain name means its newest version, whoever registered that. It is for users:
  whatever mibench itself names (a default, a grid, a reference) has its version, so that a plug-in which registers a
  newer one takes no built-in's place in silence. A change that moves numbers is a new version.
- Several threads may ask at once. What a registry holds changes under its lock; nothing is imported while the lock is
  held, so that it cannot meet the import system's own locks the wrong way round. Those make the other threads wait.
- Outside code comes in by file or folder path (`load_plugins`) and by the entry-point groups ``mibench.tasks``,
  ``mibench.estimators``, ``mibench.critics`` and ``mibench.negatives``. What cannot be imported is listed as broken
  and stops nothing.
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mibench.core.adapters import adapter_names
from mibench.core.entries import Entry, modules_of, read_entries
from mibench.core.errors import DuplicateNameError, UnknownNameError, UsageError, shown
from mibench.core.faults import describe_error
from mibench.core.numbers import as_whole, whole
from mibench.core.outside import code_of, note_code
from mibench.core.parameters import Parametrised, split_name
from mibench.core.reads import note_module, python_files_read
from mibench.core.settings import fault_of_import

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from mibench.core.critic import Critic
    from mibench.core.estimator import Estimator
    from mibench.core.sampler import NegativeSampler
    from mibench.core.task import Task


T = TypeVar("T", bound=Parametrised)
C = TypeVar("C")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSIONED = re.compile(r"(?P<name>.+)-v(?P<version>[1-9][0-9]*)")


@dataclasses.dataclass(frozen=True)
class Broken:
    """A plug-in that could not be imported, and why."""

    origin: str
    error: str


class Registry(Generic[T]):
    """Named, versioned components of one kind.

    Parameters
    ----------
    what
        The kind in the singular, for messages: ``"estimator"``.
    sources
        Modules (or packages, whose modules are read) that hold the built-in components.
    group
        The entry-point group through which installed packages add components.
    base
        The class that all of them derive from, by its full name: importing it would import torch.
    packages
        The module whose ``register_package`` enters a public package that is asked for by its name; such are in no
        list. Empty where there is none.
    """

    def __init__(self, what: str, *, sources: Sequence[str], group: str, base: str, packages: str = "") -> None:
        self.what = what
        self._packages = packages
        self._base = base
        self._sources = sources
        self._group = group
        self._entries: dict[tuple[str, int], Entry] = {}
        self._classes: dict[tuple[str, int], type[T]] = {}
        self._scanned = False
        self._entry_points_loaded = False
        self._asked_for: set[Entry] = set()
        self._lock = threading.RLock()  # held for moments, and never while something is imported
        self._loading = threading.local()  # whether this thread loads entry points, which may ask for names themselves

    def register(self, name: str, *, version: int = 1, aliases: Iterable[str] = ()) -> Callable[[type[C]], type[C]]:
        """Class decorator that enters a component under a versioned name.

        Raises
        ------
        DuplicateNameError
            Where another class already has that name and version.
        UsageError
            Where the name or an alias is not lower-case words joined by hyphens, the version is no whole number of at
            least 1, or what is decorated is no class of this kind.
        """
        if isinstance(aliases, str) or not isinstance(aliases, Iterable):
            raise UsageError(f"aliases of {self.what} '{name}' must be a list of names, not {shown(aliases, repr)}")
        aliases = tuple(aliases)
        for one in (name, *aliases):
            if not (isinstance(one, str) and _NAME.fullmatch(one)) or _VERSIONED.fullmatch(one):
                raise UsageError(
                    f"'{shown(one)}' is no {self.what} name; use lower-case words joined by hyphens, without a version"
                )
        version = whole(f"the version of {self.what} '{name}'", version, 1)

        def enter(cls: type[C]) -> type[C]:
            if not (
                isinstance(cls, type) and self._base in {f"{one.__module__}.{one.__name__}" for one in cls.__mro__}
            ):
                base = self._base.rpartition(".")[2]
                raise UsageError(f"{self.what} '{name}' must be a class that derives from mibench.{base}")
            module = sys.modules.get(cls.__module__)
            origin = str(getattr(module, "__file__", None) or cls.__module__)
            summary = (cls.__doc__ or "").strip().split("\n")[0]
            kind = getattr(cls, "kind", None)  # of a plug-in anything, which runs say
            kind = kind if isinstance(kind, str) else None
            entry = Entry(
                *(name, version, aliases, summary, kind, origin, cls.__module__, cls.__qualname__),
                given=given if isinstance(given := getattr(cls, "given", ""), str) else "",
                coincides=tuple(map(str, found)) if isinstance(found := vars(cls).get("coincides"), tuple) else (),
            )
            code_of(cls.__module__)  # as it is now, while it is imported: it may be edited before somebody asks
            self._scan()
            with self._lock:
                self._add(entry)
                self._classes[name, version] = cls  # type: ignore[assignment]  # checked on use: plug-ins are untyped
            return cls

        return enter

    def get(self, text: str) -> type[T]:
        """Return the class registered under a plain or versioned name.

        Raises
        ------
        UnknownNameError
            Where there is none; the message names the nearest ones and broken plug-ins.
        """
        entry = self.entry(text)
        key = (entry.name, entry.version)
        if key not in self._classes or entry.module in sys.modules:
            # Its decorators fill self._classes. A class is registered before the rest of its module exists: where
            # another thread is still importing that, this waits for it, and else it does nothing.
            importlib.import_module(entry.module)
        if not note_module(entry.module):
            self._asked_for.add(entry)
        return self._classes[key]

    def asked_for(self) -> set[Entry]:
        """Return the entries whose classes somebody has asked for in this process, by whatever way.

        What a file asks for while it is imported is part of its code instead, as what it reads.
        """
        return set(self._asked_for)

    def entry(self, text: str) -> Entry:
        """Return what is known of a plain or versioned name, without importing it.

        Raises
        ------
        UnknownNameError
            As `get`.
        """
        found = self._find(text)
        if found is None:
            self._load_entry_points()
            found = self._find(text)
        if found is None and self._load_package(text):
            found = self._find(text)
        if found is None:
            entries = self._known()
            known = {e.name for e in entries} | {a for e in entries for a in e.aliases}
            known |= set(adapter_names()) if self._packages else set()
            if match := _VERSIONED.fullmatch(text):
                known |= {e.id for e in entries if e.name == match["name"]}
            hint = f"see 'mibench list'{_broken_clause()}"
            raise UnknownNameError(self.what, text, known, hint)
        return found

    def known(self, name: str, version: int) -> Entry | None:
        """Return what is known of a component of which a row tells; None where nobody has registered it yet."""
        self._scan()
        with self._lock:
            return self._entries.get((name, version))

    def create(self, text: str, params: Mapping[str, Any] | None = None) -> T:
        """Build a component from ``"name:key=value"`` and further parameters.

        Raises
        ------
        UsageError
            For unknown names, and for parameters that do not exist, stand twice, or have values that do not fit.
        """
        name, written = split_name(text)
        cls = self.get(name)
        both = set(written) & set(params or {})
        if both:
            raise UsageError(f"{self.what} '{text}' gives '{min(both)}' twice, in its name and beside it")
        return cls.from_params({**written, **(params or {})}, label=f"{self.what} '{name}'")

    def id_of(self, component: T) -> str:
        """Return the versioned name of a component built by this registry."""
        with self._lock:
            classes = list(self._classes.items())
        for (name, version), cls in classes:
            if type(component) is cls:
                return f"{name}-v{version}"
        raise KeyError(f"{type(component).__name__} is not a registered {self.what}")

    def entries(self, *, all_versions: bool = False) -> list[Entry]:
        """Return all entries but public packages, sorted by name: the newest versions, or all."""
        self._load_entry_points()
        known = [e for e in self._known() if e.module != self._packages]
        if all_versions:
            return sorted(known, key=lambda e: (e.name, e.version))
        newest: dict[str, Entry] = {}
        for entry in known:
            if entry.name not in newest or entry.version > newest[entry.name].version:
                newest[entry.name] = entry
        return sorted(newest.values(), key=lambda e: e.name)

    def shown_name(self, name: str, version: int) -> str:
        """Return what tables call a component: its plain name, unless mibench has that name in other versions alone."""
        builtin = [e.version for e in self._known() if e.name == name and e.is_builtin]
        return name if version in builtin or not builtin else f"{name}-v{version}"

    def origin(self, text: str) -> str:
        """Return the file that a component comes from."""
        return self.entry(text).origin

    def forget(self, module: str) -> None:
        """Remove what a module entered: a plug-in that broke half-way leaves nothing behind."""
        with self._lock:
            for key in [k for k, e in self._entries.items() if e.module == module]:
                del self._entries[key]
                self._classes.pop(key, None)

    def _known(self) -> list[Entry]:
        """All entries but those of entry points that are not loaded yet, in the order in which they came."""
        self._scan()
        with self._lock:
            return list(self._entries.values())

    def _find(self, text: str) -> Entry | None:
        match = _VERSIONED.fullmatch(text)
        name = match["name"] if match else text
        found = [e for e in self._known() if name == e.name or name in e.aliases]
        if match:
            found = [e for e in found if e.version == as_whole(match["version"])]
        return max(found, key=lambda e: e.version, default=None)

    def _load_package(self, text: str) -> bool:
        """Enter the public package of a plain or versioned name; whether there is one."""
        match = _VERSIONED.fullmatch(text)
        name = match["name"] if match else text
        if not self._packages or name not in adapter_names():
            return False
        importlib.import_module(self._packages).register_package(name)
        return True

    def _add(self, entry: Entry) -> None:
        for known in self._entries.values():
            same = known.module == entry.module and known.qualname == entry.qualname
            clash = {entry.name, *entry.aliases} & {known.name, *known.aliases}
            if same or not clash or (known.name == entry.name and known.version != entry.version):
                continue
            raise DuplicateNameError(
                f"the {self.what} name '{min(clash)}' is taken by {known.origin}; choose another or raise the version"
            )
        self._entries[entry.name, entry.version] = entry

    def _scan(self) -> None:
        """Read the built-in entries from their sources, once; other threads wait until all are read."""
        with self._lock:
            if self._scanned:
                return
            for module, path in itertools.chain.from_iterable(map(modules_of, self._sources)):
                for entry in read_entries(module, path):
                    self._add(entry)
            self._scanned = True

    def _load_entry_points(self) -> None:
        """Import what the entry points name, once; other threads do not go on before all is imported.

        No lock is held meanwhile: a thread that imports a plug-in by itself holds that module's import lock, and may
        come here for a name that it asks for, while the thread in front waits for that very module. Each thread that
        comes before all is loaded therefore loads all points; the import system gives it the modules that others have
        imported, and makes it wait for those that they are importing.
        """
        if self._entry_points_loaded or getattr(self._loading, "now", False):
            return
        import importlib.metadata  # takes longer than all else here, and `--help` asks for no component

        self._loading.now = True
        try:
            faults = [
                Broken(f"{point.value} (entry point of {self._group})", describe_error(error))
                for point in importlib.metadata.entry_points(group=self._group)
                if (error := _fault_of_loading(point)) is not None
            ]
        finally:
            self._loading.now = False
        with self._lock:
            if not self._entry_points_loaded:  # each of several threads has found the same faults
                BROKEN.extend(faults)
                self._entry_points_loaded = True


def _fault_of_loading(point: EntryPoint) -> BaseException | None:
    """Import what an entry point names; what it read meanwhile is part of its code."""
    with python_files_read() as read:
        error = fault_of_import(point.load)
    if error is None and point.module in sys.modules:
        note_code(point.module, read.found)
    return error


TASKS: Registry[Task] = Registry(
    "task", sources=("mibench.tasks",), group="mibench.tasks", base="mibench.core.task.Task"
)
ESTIMATORS: Registry[Estimator] = Registry(
    "estimator",
    sources=("mibench.estimators",),
    group="mibench.estimators",
    base="mibench.core.estimator.Estimator",
    packages="mibench.estimators.packages",
)
CRITICS: Registry[Critic] = Registry(
    "critic", sources=("mibench.critics",), group="mibench.critics", base="mibench.core.critic.Critic"
)
NEGATIVES: Registry[NegativeSampler] = Registry(
    "negative sampler",
    sources=("mibench.negatives",),
    group="mibench.negatives",
    base="mibench.core.sampler.NegativeSampler",
)

register_task = TASKS.register
register_estimator = ESTIMATORS.register
register_critic = CRITICS.register
register_negatives = NEGATIVES.register
BROKEN: list[Broken] = []
"""The plug-ins that could not be imported, in order; `broken` gives a copy."""


def broken() -> list[Broken]:
    """Return the plug-ins that could not be imported."""
    return list(BROKEN)


def _broken_clause() -> str:
    return "".join(f"; plug-in {b.origin} is broken: {b.error}" for b in BROKEN)
