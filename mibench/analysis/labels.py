"""How rows are named in figures, and the caption that states what a figure was made of.

Notable: a label carries only what differs between the rows at hand (``smile:tau=5`` beside ``smile:tau=1``, plain
``smile`` alone); the caption carries everything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from functools import lru_cache, partial
from typing import Any

import pandas as pd

from mibench.analysis.metrics import levels_of, with_truth
from mibench.core.parameters import join_name
from mibench.experiments.components import REGISTRIES
from mibench.experiments.specs import as_number


def sampler_order(label: str) -> tuple[bool, str]:
    """Sort key of negative samplers: shuffle, the seeds' sampler, comes first."""
    return not label.startswith("shuffle"), label


COMPONENTS = ("task", "estimator", "critic", "negatives")
"""Columns that hold a name with a version and parameters beside it."""

_SETTINGS = (
    *("hidden", "activation", "dropout", "lr", "weight_decay", "precision"),
    *("samples", "patience", "steps", "window"),
)
_SETUP = ("task_label", "critic_label", *_SETTINGS)

VERSIONS = tuple(f"{name}_version" for name in COMPONENTS)
"""Columns that hold the versions of `COMPONENTS`."""

LABELLED = (*COMPONENTS, *VERSIONS, *(f"{name}_params" for name in COMPONENTS), *_SETTINGS)
"""Columns of runs that labels are made of."""

SEPARATOR = ", "
"""What stands between the settings of a ``setup``."""

_LENGTHS = ("patience", "steps", "window")

_PREFIX = {
    "lr": "lr ",
    "dropout": "dropout ",
    "weight_decay": "decay ",
    "window": "window ",
    "samples": "n = ",
    "patience": "patience ",
}

_REGIME = {
    "stream": " (fresh pairs at every step)",
    "dataset": " (a fixed sample, of which 60 percent are trained on; early stopping on 20 percent)",
}


def with_labels(runs: pd.DataFrame, ignore: Collection[str] = ()) -> pd.DataFrame:
    """Add the columns ``task_label``, ``estimator_label``, ``critic_label``, ``negatives_label`` and ``setup``.

    A component's label is its name, with the version where several occur or it is not the built-in one, and with the
    parameters that differ between rows of one name. ``setup`` joins the values of all other settings that differ
    between the rows (critic, layers, learning rate, steps and so on), but for the columns to ignore; it is empty where
    all are equal.
    """
    rows = runs.copy()
    for name in COMPONENTS:
        rows[f"{name}_label"] = component_labels(rows, name)
    parts = [_setting_texts(rows, name) for name in varying_settings(rows) if name not in ignore]
    rows["setup"] = [SEPARATOR.join(filter(None, values)) for values in zip(*parts, strict=True)] if parts else ""
    return rows


def setting_texts(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """How rows with labels have each setting written in ``setup``, by column, in order; empty where there is none."""
    return {column: _setting_texts(rows, column) for column in _SETUP}


def _setting_texts(rows: pd.DataFrame, column: str) -> pd.Series:
    values = _as_set(rows, column)
    written = values.map(lru_cache(None, typed=True)(partial(_setting, column)), na_action="ignore")
    return written.astype(object).where(values.notna(), "")


def varying_settings(rows: pd.DataFrame) -> list[str]:
    """The columns of settings that differ between rows with labels: what ``setup`` is made of."""
    return [c for c in _SETUP if _as_set(rows, c).nunique(dropna=c in _LENGTHS) > 1]


CONSTANT = "constant MI"
"""What stands for runs without a staircase beside those that have one."""


def staircase_text(schedule: object) -> str:
    """Name a staircase by its levels, as the column `schedule` holds them; empty for constant MI."""
    levels = levels_of(schedule)
    return f"staircase {' '.join(f'{level:g}' for level in levels)}" if levels else ""


def _as_set(rows: pd.DataFrame, column: str) -> pd.Series:
    """A setting's values, without those that follow from the sizes of a fixed sample and would keep N and n apart."""
    fixed = rows["samples"].notna()
    derived = {"window": fixed, "steps": fixed & rows["patience"].isna()}
    return rows[column].mask(derived[column]) if column in derived else rows[column]


def component_id(name: str, version: float, params: str | None = None) -> str:
    """Versioned name with all parameters but the MI level: ``smile-v1:tau=5``."""
    values = _params(params)
    return join_name(f"{name}-v{int(version)}", tuple((k, _short(v)) for k, v in sorted(values.items())))


def shown_names(runs: pd.DataFrame, name: str) -> pd.Series:
    """Names of every row's component as tables show them: versioned where several occur or it is not the built-in one.

    Parameters
    ----------
    runs
        Rows of the runs table.
    name
        Which of `COMPONENTS`.
    """
    columns = [name, f"{name}_version"]
    kinds = list(runs[columns].drop_duplicates().itertuples(index=False, name=None))
    keys = zip(*(runs[column] for column in columns), strict=True)
    shown = {kind: _shown_name(name, *kind, several=[other for other, _ in kinds].count(kind[0]) > 1) for kind in kinds}
    return pd.Series([shown[key] for key in keys], index=runs.index, dtype=object)


def _shown_name(kind: str, name: str, version: Any, *, several: bool) -> str:
    if pd.isna(version):
        return name
    return f"{name}-v{int(version)}" if several else REGISTRIES[kind].shown_name(name, int(version))


def versioned(runs: pd.DataFrame, name: str) -> pd.Series:
    """Versioned name of every row's component, without parameters: ``smile-v1``."""
    return runs[name] + "-v" + runs[f"{name}_version"].astype("Int64").astype("string")


def parameter_texts(params: str | None) -> dict[str, str]:
    """A component's parameters as labels write them, by name, the MI level included; those that are null are not."""
    values = json.loads(params) if isinstance(params, str) and params else {}
    return {key: _short(as_number(value)) for key, value in values.items() if value is not None}


def number(value: float) -> str:
    """Write a number with thousands separators and without needless digits: ``12,000``, ``0.0005``, ``2.5``."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def listing(values: Iterable[object], limit: int = 12) -> str:
    """Join values by commas; a list longer than the limit is cut and says so."""
    texts = [number(v) if isinstance(v, int | float) else str(v) for v in values]
    if len(texts) <= limit:
        return ", ".join(texts)
    return f"{', '.join(texts[: limit - 1])} … {texts[-1]} ({len(texts)} in all)"


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 run``, ``1,200 runs``."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def caption(runs: pd.DataFrame, *paragraphs: str, estimate: str) -> str:
    """Assemble a figure's caption.

    Parameters
    ----------
    runs
        The rows that the figure was made of, failed ones included.
    paragraphs
        What is shown and how to read it.
    estimate
        Which estimate is shown, for the protocol's sentence.

    Returns
    -------
    str
        Paragraphs separated by newlines: the given ones, then grid, protocol and versions.
    """
    return "\n".join([*filter(None, paragraphs), _grid(runs), _protocol(runs, estimate), _versions(runs)])


def _grid(runs: pd.DataFrame) -> str:
    kinds = runs[["critic", "hidden", "activation"]].drop_duplicates().itertuples(index=False, name=None)
    critics = _unique(" ".join(str(v) for v in kind if not pd.isna(v)) for kind in kinds)
    parts = [
        f"task {listing(_ids(runs, 'task'))}",
        f"true MI {listing(_numbers(runs, 'mi_true'))} nats",
        f"estimators {listing(_ids(runs, 'estimator'))}",
        f"batch size N = {listing(_numbers(runs, 'batch'))}",
        *([f"fixed samples of n = {listing(sizes)} pairs"] if (sizes := _numbers(runs, "samples")) else []),
        f"critic {listing(critics)}",
        f"negatives {listing(_ids(runs, 'negatives'))}",
        f"{listing(_numbers(runs, 'steps'))} training steps",
    ]
    if rates := _numbers(runs, "lr"):
        parts.append(f"{_optimisers(runs)} learning rate {listing(rates)}")
    extra = [
        f"{label} {listing(values)}"
        for column, label in (("dropout", "dropout"), ("weight_decay", "decay"), ("precision", "precision"))
        if (values := [v for v in _unique(runs[column].dropna()) if str(v) not in ("0", "0.0", "float32")])
    ]
    parts += [*extra, f"seeds {listing(_numbers(runs, 'seed'))}"]
    counts = runs.drop_duplicates("run_id", keep="last")["status"].value_counts()
    statuses = ", ".join(f"{counts[s]:,} {s}" for s in ("ok", "diverged", "timeout", "crashed") if s in counts)
    count = runs["run_id"].nunique()
    if without := count - with_truth(runs)["run_id"].nunique():
        statuses += f"; without a known truth, and drawn against none: {without:,}"
    return f"Grid: {'; '.join(parts)}; {plural(count, 'run')}: {statuses}."


def _optimisers(runs: pd.DataFrame) -> str:
    """Name what the learning rate belongs to."""
    names = _unique(runs["optimiser"].dropna())
    return "Adam's" if set(names) <= {"adam"} else f"{listing(names)},"


def _protocol(runs: pd.DataFrame, estimate: str) -> str:
    versions = listing(_numbers(runs, "protocol"))
    regimes = listing(_unique(runs["regime"].dropna()))
    return f"Protocol {versions}, regime {regimes}{_REGIME.get(regimes, '')}: {estimate} All information is in nats."


def _versions(runs: pd.DataFrame) -> str:
    parts = [
        f"{label} {listing(values)}"
        for column, label in (("mibench_version", "mibench"), ("torch_version", "torch"))
        if (values := _unique(runs[column].dropna()))
    ]
    ids = [listing(_ids(runs, name, params=False)) for name in COMPONENTS]
    return f"Versions: {'; '.join([*parts, *ids])}."


def _ids(runs: pd.DataFrame, name: str, *, params: bool = True) -> list[str]:
    """Versioned names of the components that occur, with all their parameters or without any."""
    columns = [name, f"{name}_version", f"{name}_params"]
    kinds: dict[tuple[str, float], list[str | None]] = {}
    for component, version, given in runs[columns].drop_duplicates().itertuples(index=False, name=None):
        kinds.setdefault((component, version), []).append(given if params else None)
    return sorted(_id_with_range(*kind, given) for kind, given in kinds.items())


def _id_with_range(name: str, version: float, given: Iterable[str | None]) -> str:
    """Versioned name with the parameters that all share, and in brackets the values of those that differ."""
    found = [_params(text) for text in given]
    keys = sorted({key for params in found for key in params})
    values: dict[str, dict[str, object]] = {
        key: {_short(params[key]): params[key] for params in found if key in params} for key in keys
    }
    shared = {key for key, texts in values.items() if len(texts) == 1 and all(key in params for params in found)}
    text = join_name(f"{name}-v{int(version)}", tuple((key, next(iter(values[key]))) for key in keys if key in shared))
    differing = [
        f"{key} {listing(text for text, _ in sorted(texts.items(), key=lambda pair: _order(pair[1])))}"
        for key, texts in values.items()
        if key not in shared
    ]
    return f"{text} ({'; '.join(differing)})" if differing else text


def _order(value: object) -> tuple[float, str]:
    """Sort key of values that may be numbers or text: numbers first."""
    return (value, "") if isinstance(value, int | float) else (math.inf, str(value))


def component_labels(runs: pd.DataFrame, name: str) -> pd.Series:
    """Shortest labels that tell the rows' components of a kind apart, as in `with_labels`."""
    columns = [name, f"{name}_version", f"{name}_params"]
    kinds = [(row, _params(row[2])) for row in runs[columns].drop_duplicates().itertuples(index=False, name=None)]
    labels = {}
    for row, values in kinds:
        namesakes = [(other, theirs) for other, theirs in kinds if other[0] == row[0]]
        several = len({other[1] for other, _ in namesakes}) > 1
        differing = {k for _, theirs in namesakes for k in theirs | values if theirs.get(k) != values.get(k)}
        text = _shown_name(name, row[0], row[1], several=several)
        labels[row] = join_name(text, tuple((k, _short(v)) for k, v in sorted(values.items()) if k in differing))
    keys = zip(*(runs[c] for c in columns), strict=True)
    return pd.Series([labels[key] for key in keys], index=runs.index, dtype=object)


def _params(text: object) -> dict[str, object]:
    values = json.loads(text) if isinstance(text, str) and text else {}
    return {k: as_number(v) for k, v in values.items() if k != "mi" and v is not None}


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _setting(column: str, value: Any) -> str:
    text = number(value) if column in ("samples", *_LENGTHS) else _short(value)
    return f"{_PREFIX.get(column, '')}{text}{' steps' if column == 'steps' else ''}"


def _numbers(runs: pd.DataFrame, column: str) -> list[float]:
    return sorted(float(v) for v in runs[column].dropna().unique())


def _unique(values: Iterable[str]) -> list[str]:
    return sorted({str(v) for v in values})
