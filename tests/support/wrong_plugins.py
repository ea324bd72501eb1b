"""Plug-ins that once passed ``mibench check`` and broke ``mibench run``, each with the sentence that refuses it."""

from __future__ import annotations

import dataclasses
import textwrap

_HEAD = """
import dataclasses
import enum
import math
import pathlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

import mibench
from mibench.estimators.nwj import NWJ
from mibench.negatives.pairs import Independent
from mibench.tasks.gaussian import Gaussian20D


class Form(enum.Enum):
    SHORT = 1
    LONG = 2


class Net(torch.nn.Module):
    def __init__(self, f, g):
        super().__init__()
        self.f, self.g = f, g

    def forward(self, x, y):
        return -(self.f(x) - self.g(y)).square().sum(-1)

"""
_BASES = {"estimator": "NWJ", "task": "Gaussian20D", "negatives": "Independent", "critic": "mibench.ModuleCritic"}


@dataclasses.dataclass(frozen=True)
class WrongPlugin:
    """A plug-in file that registers one component, ``wrong``.

    Parameters
    ----------
    what
        What it registers, as the decorators name it.
    body
        What its class holds beside that of a built-in one.
    check, sentence
        The check that fails, and the beginning of what it says.
    """

    what: str
    body: str
    check: str
    sentence: str

    @property
    def source(self) -> str:
        """The file."""
        head = (
            f'@mibench.register_{self.what}("wrong")\nclass Wrong({_BASES[self.what]}):\n    """One that is wrong."""\n'
        )
        return f"{_HEAD}\n{head}\n{textwrap.indent(textwrap.dedent(self.body).strip(), '    ')}\n"


_FLOAT64 = "sets torch's default dtype to torch.float64, which was torch.float32, for all runs of the process"
_DEFAULT = "estimator 'wrong-v1', default of parameter "
_OWN = "estimator 'wrong-v1'"
_TYPES = "are not supported; use str, int, float, bool, Literal[...], or one of these with '| None'"

PARAMETERS: dict[str, WrongPlugin] = {
    "a tuple": WrongPlugin(
        "estimator", "sizes: tuple[int, ...] = (1, 2)",
        "defaults", f"{_DEFAULT}'sizes': parameters of type tuple[int, ...] {_TYPES}",
    ),
    "a list": WrongPlugin(
        "estimator", "sizes: list[int] = dataclasses.field(default_factory=lambda: [1, 2])",
        "defaults", f"{_DEFAULT}'sizes': parameters of type list[int] {_TYPES}",
    ),
    "a cache among the parameters": WrongPlugin(
        "estimator", "seen: dict[str, float] = dataclasses.field(default_factory=dict)",
        "defaults", f"{_DEFAULT}'seen': parameters of type dict[str, float] {_TYPES}",
    ),
    "a path": WrongPlugin(
        "estimator", 'file: pathlib.Path = pathlib.Path("weights.pt")',
        "defaults", f"{_DEFAULT}'file': parameters of type Path {_TYPES}",
    ),
    "a NumPy integer, by its own type": WrongPlugin(
        "estimator", "k: np.int64 = np.int64(3)", "defaults", f"{_DEFAULT}'k': parameters of type int64 {_TYPES}"
    ),
    "a member of an enumeration": WrongPlugin(
        "estimator", "form: Form = Form.SHORT",
        "defaults", f"{_DEFAULT}'form': parameters of type Form {_TYPES}",
    ),
    "a choice of bytes": WrongPlugin(
        "estimator", 'form: Literal[b"short", b"long"] = b"short"',
        "defaults", f"{_DEFAULT}'form': a choice of type bytes is not supported; use text or numbers",
    ),
    "a default that is no choice": WrongPlugin(
        "estimator", 'form: Literal["short", "long"] = "brief"',
        "defaults", f"{_DEFAULT}'form': 'brief' is none of short, long",
    ),
    "NaN": WrongPlugin(
        "estimator", "level: float = math.nan", "defaults", f"{_DEFAULT}'level': 'nan' is not a number"
    ),
    "None for a number": WrongPlugin(
        "estimator", "rate: float = None",
        "defaults", f"{_DEFAULT}'rate': 'None' is not a number; annotate it with '| None' where None is meant",
    ),
    "None for text": WrongPlugin(
        "estimator",
        '''
        form: str = None

        def __post_init__(self):
            if self.form not in (None, "short", "long"):
                raise mibench.UsageError(f"form must be short or long, not {self.form}")
        ''',
        "defaults", f"{_DEFAULT}'form': 'None' is not text; annotate it with '| None' where None is meant",
    ),
    "a whole number that is rounded": WrongPlugin(
        "estimator", "key: int = 2**53 + 1",
        "defaults", f"{_DEFAULT}'key': '9007199254740993' is too large; use at most 9007199254740992",
    ),
    "a truth value for a number": WrongPlugin(
        "estimator", "k: int = True", "defaults", f"{_DEFAULT}'k': 'True' is not a number"
    ),
    "a number for a truth value": WrongPlugin(
        "estimator", "flag: bool = 1", "defaults", f"{_DEFAULT}'flag': '1' is neither true nor false"
    ),
    "a value that is halved whenever it is built": WrongPlugin(
        "estimator",
        '''
        rate: float = 1.0

        def __post_init__(self):
            object.__setattr__(self, "rate", self.rate / 2)
        ''',
        "parameters", f'{_OWN} has the parameters {{"rate":0.5}}, and {{"rate":0.25}} when it is built from these;',
    ),
    "text that becomes a number and is not read again": WrongPlugin(
        "estimator",
        '''
        size: str = "small"

        def __post_init__(self):
            object.__setattr__(self, "size", {"small": 16, "large": 64}[self.size])
        ''',
        "parameters", f'{_OWN} cannot be built from its own parameters, {{"size":16}}: KeyError: \'16\'',
    ),
    "a number that becomes a tensor": WrongPlugin(
        "estimator",
        '''
        rate: float = 1.0

        def __post_init__(self):
            object.__setattr__(self, "rate", torch.tensor(self.rate))
        ''',
        "parameters", f"{_OWN}, parameter 'rate': tensor(1.) cannot be stored, since it is of type Tensor; make it",
    ),
    "a truth that becomes a truth value": WrongPlugin(
        "task",
        '''
        mi: float = 1.0
        dim: int = 1
        default_levels = (1.0,)

        def __post_init__(self):
            object.__setattr__(self, "mi", True)
        ''',
        "parameters",
        "task 'wrong-v1' cannot be built from its own parameters, {\"dim\":1,\"mi\":true}: task 'wrong-v1', parameter",
    ),
}  # fmt: skip
"""Wrong in their parameters: nothing can be made of them, and ``mibench run`` refuses them by the same sentence."""

OTHERS: dict[str, WrongPlugin] = {
    "a kind that is none on some batches": WrongPlugin(
        "estimator",
        '''
        def kind_at(self, n, m):
            return "lower" if m > n else "bound"
        ''',
        "kind", "kind_at(2, 2) is 'bound'; it must be 'lower', 'upper' or 'plug-in'",
    ),
    "an extra of nothing": WrongPlugin(
        "estimator", 'extras = (mibench.Extra("level", of="z", exact=0.0),)',
        "declared", "the extra 'level' is of 'z'; it must be of 'x', 'y', 'pair', 'y pair', 'constant',",
    ),
    "extras as a list": WrongPlugin(
        "estimator", 'extras = [mibench.Extra("level", of="y", exact=0.0)]',
        "declared", "extras is [Extra(name='level', of='y', exact=0.0)]; it must be a tuple of mibench.Extra",
    ),
    "a flag of text": WrongPlugin(
        "estimator", 'capped_by_sampler = "yes"', "declared", "capped_by_sampler is 'yes'; it must be True or False"
    ),
    "a default sampler that does not exist": WrongPlugin(
        "estimator", 'default_negatives = "shufle"',
        "declared", "unknown negative sampler 'shufle'; did you mean 'shuffle'?",
    ),
    "a critic of its own that does not exist": WrongPlugin(
        "estimator",
        '''
        kind = "plug-in"
        own_critic = "conditional-gausian:of=x"
        ''',
        "declared", "unknown critic 'conditional-gausian'; did you mean 'conditional-gaussian'",
    ),
    "an error of the truth that is a tensor": WrongPlugin(
        "task",
        '''
        @property
        def mi_se(self):
            return torch.tensor(0.0)
        ''',
        "truth", "mi_se is tensor(0.); it must be a finite number of nats, at least 0",
    ),
    "columns that are no whole number": WrongPlugin(
        "task",
        '''
        @property
        def dim_x(self):
            return self.dim / 1
        ''',
        "shapes", "dim_x is 20.0; it must be a whole number of columns, at least 1",
    ),
    "outcomes that are tensors": WrongPlugin(
        "task",
        '''
        def outcomes(self, estimator, batch):
            return {"spread": torch.tensor(1.0)}
        ''',
        "outcomes", "outcomes gives tensor(1.) for 'spread'; it must be plain numbers by name",
    ),
    "outcomes that are none": WrongPlugin(
        "task",
        '''
        def outcomes(self, estimator, batch):
            return None
        ''',
        "outcomes", "outcomes gives NoneType; it must be numbers by name, {} where there are none",
    ),
    "a cap that is a tensor": WrongPlugin(
        "negatives",
        '''
        def predicted_ceiling(self, batch):
            return torch.tensor(2.0)
        ''',
        "positives", "predicted_ceiling(16) is tensor(2.); it must be a number of nats, inf where there is none",
    ),
    "a sampler that becomes one that is not registered": WrongPlugin(
        "negatives",
        '''
        def bound_to(self, task):
            class Bound(Wrong):
                """For one task."""

                def bound_to(self, task):
                    return self

            return Bound(m=self.m)
        ''',
        "run", "'Bound' stands where a negative sampler should, and is not registered; register it, or return one of",
    ),
    "a critic whose default sampler does not exist": WrongPlugin(
        "critic",
        '''
        default_negatives = "shufle"

        def module(self, dim_x, dim_y, architecture):
            return Net(architecture.mlp(dim_x, 4), architecture.mlp(dim_y, 4))
        ''',
        "run", "unknown negative sampler 'shufle'; did you mean 'shuffle'?",
    ),
    "a critic of one activation": WrongPlugin(
        "critic",
        '''
        def module(self, dim_x, dim_y, architecture):
            if architecture.activation != "elu":
                raise ValueError("there are no weights for relu")
            return Net(architecture.mlp(dim_x, 4), architecture.mlp(dim_y, 4))
        ''',
        "run", "raised ValueError: there are no weights for relu",
    ),
    "a critic of equal sides that does not say so": WrongPlugin(
        "critic",
        '''
        def module(self, dim_x, dim_y, architecture):
            f = architecture.mlp(dim_x, 4)
            return Net(f, f)
        ''',
        "run", "raised RuntimeError: ",
    ),
    "a truth that differs each time": WrongPlugin(
        "task",
        '''
        @property
        def mi_se(self):
            return np.random.default_rng().random()
        ''',
        "truth", "mi_se is 0.",
    ),
    "a kind that is a list": WrongPlugin(
        "estimator", 'kind = ["lower"]', "kind", "kind is ['lower']; state 'lower', 'upper' or 'plug-in' in the class"
    ),
    "a type of numbers for the whole process, in a loss": WrongPlugin(
        "estimator",
        '''
        def loss(self, scores):
            torch.set_default_dtype(torch.float64)
            return super().loss(scores)
        ''',
        "shapes", f"it {_FLOAT64}",
    ),
}  # fmt: skip
"""Wrong in something else: of these runs end without a result, or with one that no reader takes."""

UNPLANNED: dict[str, WrongPlugin] = {
    "extras of one name": WrongPlugin(
        "estimator", "extras = tuple(mibench.Extra('a', of=side, exact=0.0) for side in 'xy')",
        "declared", "an extra has the name 'a'; each must have text of its own",
    ),
    "an extra whose share is no number": WrongPlugin(
        "estimator", "extras = (mibench.Extra('a', of='y', exact=math.nan),)",
        "declared", "the extra 'a' has exact = nan; it must be a finite number",
    ),
    "an offset that is no number": WrongPlugin(
        "estimator", "oracle_offset = math.nan", "declared", "oracle_offset is nan; it must be a finite number of nats"
    ),
    "an offset of text": WrongPlugin(
        "estimator", "oracle_offset = '1'", "declared", "oracle_offset is '1'; it must be a finite number of nats"
    ),
    "something given that is no text": WrongPlugin(
        "estimator", "given = ['entropy of x']",
        "declared", "given is ['entropy of x']; it must be text, '' where nothing is given",
    ),
    "a coincidence outside a tuple": WrongPlugin(
        "estimator", "coincides = 'js-v1'", "declared", "coincides is 'js-v1'; it must be a tuple of text, () where"
    ),
    "sight of something": WrongPlugin(
        "estimator", "critic_sees = ['all']",
        "declared", "critic_sees is ['all']; it must be 'all' or 'first half of y'",
    ),
    "a flag of a sampler that is a number": WrongPlugin(
        "negatives", "full_support = 1", "declared", "full_support is 1; it must be True or False"
    ),
    "options that do not exist": WrongPlugin(
        "critic",
        '''
        uses = frozenset({"hiden", "lr"})

        def module(self, dim_x, dim_y, architecture):
            return Net(architecture.mlp(dim_x, 4), architecture.mlp(dim_y, 4))
        ''',
        "declared", "uses names 'hiden', which is no option of a critic; did you mean 'hidden'?",
    ),
    "an estimator that leaves": WrongPlugin(
        "estimator",
        '''
        def ceiling(self, n, m):
            raise SystemExit(0)
        ''',
        "ceiling", "raised SystemExit: 0",
    ),
    "an estimator that leaves as it is built": WrongPlugin(
        "estimator",
        '''
        def __post_init__(self):
            raise SystemExit(0)
        ''',
        "defaults", "it cannot be built with its defaults: SystemExit: 0; derive it from mibench.Estimator",
    ),
    "an estimator that interrupts": WrongPlugin(
        "estimator",
        '''
        def ceiling(self, n, m):
            raise KeyboardInterrupt
        ''',
        "ceiling", "raised KeyboardInterrupt",
    ),
    "a ceiling that is no method": WrongPlugin(
        "estimator", "ceiling = 3.0", "ceiling", "raised TypeError: 'float' object is not callable"
    ),
    "a sampler that leaves": WrongPlugin(
        "negatives",
        '''
        def per_row(self, batch):
            raise SystemExit(0)
        ''',
        "indices", "raised SystemExit: 0",
    ),
    "a sampler that leaves as it is bound": WrongPlugin(
        "negatives",
        '''
        def bound_to(self, task):
            raise GeneratorExit
        ''',
        "preparation", "raised GeneratorExit",
    ),
    "a task that leaves as it is built": WrongPlugin(
        "task",
        '''
        def __post_init__(self):
            raise SystemExit(0)
        ''',
        "defaults", "it cannot be built with its defaults: SystemExit: 0; derive it from mibench.Task",
    ),
    "a critic that leaves as it is built": WrongPlugin(
        "critic",
        '''
        def __post_init__(self):
            raise SystemExit(0)

        def module(self, dim_x, dim_y, architecture):
            return Net(architecture.mlp(dim_x, 4), architecture.mlp(dim_y, 4))
        ''',
        "defaults", "it cannot be built with its defaults: SystemExit: 0; derive it from mibench.ModuleCritic",
    ),
    "a type of numbers for the whole process": WrongPlugin(
        "estimator", "torch.set_default_dtype(torch.float64)", "import", "plug-in"
    ),
}  # fmt: skip
"""Wrong in what a grid asks before any work: a run refuses these in one sentence, whatever they raise."""

FAILING: dict[str, WrongPlugin] = {
    "indices outside the pool": WrongPlugin(
        "negatives",
        '''
        def draw(self, y, batch, generator):
            return super().draw(y, batch, generator) - 1000
        ''',
        "indices", "draw gives indices outside the pool of",
    ),
    "a critic that leaves": WrongPlugin(
        "critic",
        '''
        def module(self, dim_x, dim_y, architecture):
            raise SystemExit(0)
        ''',
        "scores", "raised SystemExit: 0",
    ),
    "a task that leaves": WrongPlugin(
        "task",
        '''
        @property
        def dim_y(self):
            raise SystemExit(0)
        ''',
        "shapes", "raised SystemExit: 0",
    ),
}  # fmt: skip
"""Wrong in what only training asks: a run of these is a crashed row."""

WRONG_PLUGINS = {**PARAMETERS, **OTHERS, **UNPLANNED, **FAILING}
