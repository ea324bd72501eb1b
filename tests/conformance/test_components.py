"""All built-ins pass the conformance checks, and deliberately wrong plug-ins fail the check that is meant for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import mibench
from mibench.cli.app import main
from mibench.conformance.drawn_scores import SHAPES, hard_scores
from mibench.core.registry import CRITICS, ESTIMATORS, NEGATIVES, TASKS
from mibench.testing import Finding, check_critic, check_estimator, check_negatives, check_plugin, check_task
from tests.support.paths import SUPPORT

pytestmark = pytest.mark.usefixtures("fresh_registries")


def failures(findings: list[Finding]) -> list[str]:
    return [f"{f.subject}, {f.check}: {f.sentence}" for f in findings if not f.passed]


VARIANTS = [
    "smile:tau=1",
    "smile:tau=inf",
    "mine:rate=0",
    "alpha-ml-cpc:alpha=0.0001",
    "alpha-ml-cpc:alpha=0.1,alpha_start=1.5,alpha_steps=5",
    "alpha-cpc:alpha=1.5",
    "holder-flatnce:gamma=-1",
    "vince:form=weighted",
    "vince:form=stated",
    "vince-plus:form=weighted,objective=printed",
    "ksg:k=1",
    "ksg:k=10,variant=2",
    "cca:corrected=true",
    "histogram:bins=20,spacing=mass,miller_madow=true",
    "interpolated:alpha=1",
    "infonce-anchor:nu=0.1",
    "tre:bridges=1",
    "v-information:family=softmax",
]


DENSITIES = [
    "conditional-gaussian:of=x,mean=linear",
    "conditional-gaussian:variance=learned",
    "conditional-gaussian:variance=0.5",
    "conditional-softmax:of=x,mean=linear",
]


@pytest.mark.parametrize("name", [*mibench.list_estimators(), *VARIANTS])
def test_built_in_estimators_conform(name: str) -> None:
    estimator = ESTIMATORS.create(name)
    findings = check_estimator(estimator)
    assert failures(findings) == []
    assert len(findings) == (10 if isinstance(estimator, mibench.SampleEstimator) else 15)


def scoring_estimators() -> list[str]:
    names = mibench.list_estimators()
    return [name for name in names if not isinstance(ESTIMATORS.create(name), mibench.SampleEstimator)]


@pytest.mark.parametrize("name", scoring_estimators())
def test_built_in_ceilings_hold_to_the_last_bits(name: str) -> None:
    estimator = ESTIMATORS.create(name)
    for n, m in SHAPES:
        for dtype in (torch.float32, torch.float64):
            slack = 2 * torch.finfo(dtype).eps * max(1.0, estimator.ceiling(n, m + 1))
            for case, scores in hard_scores(n, m, dtype):
                assert float(estimator.estimate(scores)) <= estimator.ceiling(n, m + 1) + slack, case


@pytest.mark.parametrize("name", [*mibench.list_tasks(), "gaussian20d:dim=1", "gaussian20d:mi=30", "gaussian20d:mi=0"])
def test_built_in_tasks_conform(name: str) -> None:
    assert failures(check_task(TASKS.create(name))) == []


@pytest.mark.parametrize("name", [*mibench.list_critics(), "separable:embed=7", "cosine:scale=1", *DENSITIES])
def test_built_in_critics_conform(name: str) -> None:
    assert failures(check_critic(CRITICS.create(name))) == []


@pytest.mark.parametrize(
    "name", [*mibench.list_negatives(), "shuffle:fixed=3", "independent:m=3", "uniform:m=3", "waypoints:m=1"]
)
def test_built_in_negative_samplers_conform(name: str) -> None:
    assert failures(check_negatives(NEGATIVES.create(name))) == []


def test_a_good_plug_in_passes_all_checks() -> None:
    findings = check_plugin(SUPPORT / "plugins" / "good.py")
    assert failures(findings) == []
    assert {f.subject.split()[0] for f in findings} == {"good.py", "task", "estimator", "critic", "negatives"}


HEAD = """
import math
import torch
import mibench
from mibench.core.scores import log_mean_exp
"""

ESTIMATOR = '''
@mibench.register_estimator("wrong")
class Wrong(mibench.Estimator):
    """A bound that is wrong."""

    kind = "lower"
    oracle_offset = 1.0

    def estimate(self, scores):
        return scores.pos.mean(-1) - torch.exp(scores.neg - 1).mean((-2, -1))
'''


def changed(old: str, new: str) -> str:
    assert ESTIMATOR.count(old) == 1
    return HEAD + ESTIMATOR.replace(old, new)


# Source, the check that must fail, and a part of its sentence.
WRONG: dict[str, tuple[str, str, str]] = {
    "wrong shape": (
        changed("torch.exp(scores.neg - 1).mean((-2, -1))", "torch.exp(scores.neg - 1).mean()").replace(
            "scores.pos.mean(-1)", "scores.pos.mean()"
        ),
        "shapes",
        "it must be (3,): reduce the batch axes only",
    ),
    "runs lost where there is one": (
        changed("return ", "return (").rstrip() + ").squeeze()\n",
        "shapes",
        "it must be (1,): reduce the batch axes only",
    ),
    "rows left over": (
        changed(".mean((-2, -1))", ".mean(-1)").replace("scores.pos.mean(-1)", "scores.pos"), "shapes", "it must be ()"
    ),
    "other precision": (changed("scores.pos.mean(-1)", "scores.pos.mean(-1).float()").replace(
        "- torch.exp(scores.neg - 1)", "- torch.exp(scores.neg - 1).float()"), "shapes", "keep the scores' precision"),
    "mixing runs of a pack": (
        changed("scores.pos.mean(-1)", "(2 * scores.pos - scores.pos.mean()).mean(-1)"),
        "runs are not mixed",
        "scores of run 0 move runs 1 and 2",
    ),
    "mixing runs in the gradient alone": (
        HEAD + ESTIMATOR + """
    def initial_state(self):
        return (0.0,)

    def stateful_loss(self, scores, state):
        loss = self.loss(scores)
        return loss + loss.sum() - loss.sum().detach(), state
""",
        "runs are not mixed",
        "stateful_loss mixes runs",
    ),
    "wrong sign of the loss's negatives": (
        HEAD + ESTIMATOR + """
    def loss(self, scores):
        return -scores.pos.mean(-1) - torch.exp(scores.neg - 1).mean((-2, -1))
""",
        "better critic",
        "raises the negatives further: check the sign of its term of the negatives",
    ),
    "wrong sign of the stateful loss": (
        HEAD + ESTIMATOR + """
    def initial_state(self):
        return (0.0,)

    def stateful_loss(self, scores, state):
        return self.estimate(scores), state
""",
        "better critic",
        "gradient of stateful_loss lowers the positives further",
    ),
    "wrong sign of the value": (
        changed("return scores", "return -1 * (scores").rstrip() + ")\n", "better critic", "check the sign"
    ),
    "wrong sign of the loss": (
        HEAD + ESTIMATOR + "\n    def loss(self, scores):\n        return self.estimate(scores)\n",
        "better critic",
        "the exact critic must have the lower loss: check the sign",
    ),
    "a lower bound that over-estimates by a constant": (
        changed("return ", "return 0.02 + "),
        "exact critic",
        "nats above it; correct the value or declare it a plug-in",
    ),
    "a lower bound that over-estimates by two percent": (
        HEAD
        + ESTIMATOR.replace("oracle_offset = 1.0\n", "").replace(
            "torch.exp(scores.neg - 1).mean((-2, -1))", "log_mean_exp(scores.neg, (-2, -1))"
        ).replace("return ", "return 1.02 * (").rstrip() + ")\n",
        "exact critic",
        "at 0.5 nats",
    ),
    "a lower bound that over-estimates with few negatives": (
        changed("return ", "return 1 / scores.m**2 + "),
        "exact critic",
        "one negative per row, it is 0.2500",
    ),
    "a plug-in that calls itself lower": (
        HEAD + ESTIMATOR.replace("oracle_offset = 1.0\n", "").replace(
            " - torch.exp(scores.neg - 1).mean((-2, -1))", " + 0 * scores.neg.mean((-2, -1))"),
        "any critic",
        "a lower bound holds for every critic, but with a critic shifted by +1",
    ),
    "an upper bound that is too low": (
        changed('"lower"', '"upper"').replace("return ", "return -0.02 + "), "exact critic", "below it"
    ),
    "a ceiling that is passed": (
        HEAD + ESTIMATOR + "\n    def ceiling(self, n, m):\n        return math.log(n)\n",
        "ceiling",
        "passes the ceiling",
    ),
    "state shared between runs": (
        changed("def estimate", "seen = []\n\n    def estimate").replace(
            "return scores", "self.seen.append(0.1)\n        return sum(self.seen) + scores"
        ),
        "pure",
        "give an initial_state and carry the state through stateful_loss",
    ),
    "state shared between runs while they train": (
        "SEEN = [1.0]\n" + HEAD + ESTIMATOR + """
    def loss(self, scores):
        if scores.pos.requires_grad:
            SEEN.append(SEEN[-1] + 0.1)
        return -SEEN[-1] * self.estimate(scores)
""",
        "pure",
        "loss remembers earlier calls",
    ),
    "a declared state that is shared": (
        HEAD + ESTIMATOR + '''
    def initial_state(self):
        return (0.0,)

    def stateful_loss(self, scores, state):
        mean = (state + scores.pos.mean(-1, keepdim=True)).mean(0, keepdim=True).expand_as(state).detach()
        return self.loss(scores), mean
''',
        "state",
        "it is shared between runs",
    ),
    "global randomness": (
        changed("return scores", "return 0 * torch.rand(()) + scores"), "pure", "draws from torch's global generator"
    ),
    "writing into the scores": (changed("scores.pos.mean(-1)", "scores.pos.mul_(1.0).add_(0.5).mean(-1)"), "pure", ""),
    "a gradient that is cut": (
        changed("return scores.pos.mean(-1)", "return scores.pos.detach().mean(-1)"), "gradient", "along a line"
    ),
    "a surrogate loss that climbs": (
        HEAD + ESTIMATOR.replace("oracle_offset = 1.0", "surrogate_loss = True") + """
    def loss(self, scores):
        return torch.exp(scores.pos - scores.pos.detach()).mean(-1)
""",
        "gradient",
        "it must raise it",
    ),
    "overflow": (
        HEAD + ESTIMATOR.replace("oracle_offset = 1.0\n", "").replace(
            "- torch.exp(scores.neg - 1).mean((-2, -1))", "- torch.exp(scores.neg).mean((-2, -1)).log()"),
        "finite",
        "stay in log space",
    ),
    "no kind": (changed('kind = "lower"', 'kind = "bound"'), "kind", "state 'lower', 'upper' or 'plug-in'"),
    "no docstring": (changed('    """A bound that is wrong."""\n', ""), "docstring", "the class has no docstring"),
    "an import error": ("import no_such_package\n", "import", "No module named 'no_such_package'"),
    "an import error inside a function": (
        "def setup():\n    import no_such_package\n\nsetup()\n", "import", "named 'no_such_package' (line 2)"
    ),
    "an import error in several lines": ("raise ImportError('one\\ntwo')\n", "import", "ImportError: one two (line 1)"),
    "a value that exits": (changed("return ", "raise SystemExit(0)\n        return "), "shapes", "raised SystemExit"),
    "another's alias as a name": (changed('"wrong"', '"mine-f"'), "name", "the estimator name 'mine-f' is taken by"),
    "another's alias as an alias": (changed('"wrong"', '"fresh", aliases=("cpc",)'), "name", "name 'cpc' is taken by"),
    "a name already taken": (changed('"wrong"', '"nwj"'), "name", "the estimator name 'nwj' is taken by"),
    "nothing registered": ("x = 1\n", "registration", "nothing is registered"),
    "no base class": (changed("(mibench.Estimator)", ""), "import", "a class that derives from mibench.Estimator"),
    "a default that is refused": (
        HEAD + ESTIMATOR + "\n    def __post_init__(self):\n        raise ValueError('no')\n",
        "defaults",
        "ValueError: no",
    ),
    "a parameter without a default": (
        changed('    kind = "lower"', '    tau: float\n    kind = "lower"'),
        "defaults",
        "give every parameter a default",
    ),
}  # fmt: skip

SAMPLE_ESTIMATOR = '''
import numpy as np

@mibench.register_estimator("wrong")
class Wrong(mibench.SampleEstimator):
    """An estimator that takes a sample, and is wrong."""

    kind = "plug-in"

    def of_arrays(self, x, y):
        with np.errstate(all="ignore"):
            value = -0.5 * np.log1p(-np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)
        return np.nan_to_num(value, posinf=99.0)
'''


def sample_estimator(old: str, new: str) -> str:
    assert SAMPLE_ESTIMATOR.count(old) == 1
    return HEAD + SAMPLE_ESTIMATOR.replace(old, new)


WRONG_SAMPLE_ESTIMATORS: dict[str, tuple[str, str, str]] = {
    "no kind": (sample_estimator('"plug-in"', '"bound"'), "kind", "state 'lower', 'upper' or 'plug-in'"),
    "a size that is none": (
        sample_estimator("    def of", "    def smallest_sample(self, dim_x, dim_y):\n        return 0\n\n    def of"),
        "small samples",
        "it must be a whole number of at least 2",
    ),
    "a value that is not finite": (
        sample_estimator("return np", "return np.inf if len(x) < 5 else np"), "finite", "the value of 2 pairs of"
    ),
    "global randomness": (sample_estimator("value = ", "value = 0 * np.random.rand() "), "pure", "NumPy's global"),
    "torch's global randomness": (
        sample_estimator("value = ", "value = 0 * float(torch.rand(()))  "), "pure", "draws from torch's global"
    ),
    "writing into the sample": (sample_estimator("value = ", "x *= 2\n        value = "), "pure", "writes into"),
    "remembering": (
        sample_estimator("    def of_arrays(self, x, y):\n", "    seen = []\n\n    def of_arrays(self, x, y):\n"
                         "        self.seen.append(1e-3)\n").replace("return np", "return sum(self.seen) + np"),
        "pure",
        "remembers earlier calls",
    ),
    "the order of the pairs": (sample_estimator("value = ", "value = 1e-3 * x[0, 0] "), "order", "in another order"),
    "a constant too much": (sample_estimator("return np", "return 0.2 + np"), "truth", "gaussian_error allows 0.1"),
    "an upper bound that is too low": (
        sample_estimator('"plug-in"', '"upper"').replace("return np", "return -0.2 + np"), "truth", "value is -0."
    ),
    "the wrong sign": (sample_estimator("return np", "return 1 - np"), "truth", "off the truth"),
    "falling with the truth": (
        sample_estimator('"plug-in"', '"lower"').replace("return np", "return -1 * np"), "truth", "check the sign"
    ),
    "a ceiling that is passed": (
        sample_estimator("    def of", "    def ceiling(self, n, m):\n        return 2.0\n\n    def of"),
        "ceiling",
        "passes the ceiling 2 on y = x",
    ),
    "NaN on ties": (
        sample_estimator("return np", "return np.nan if len(np.unique(x)) < len(x) else np"), "ceiling", "is NaN on"
    ),
}  # fmt: skip

TASK = '''
@mibench.register_task("wrong")
class Wrong(mibench.Task):
    """A task that is wrong."""

    mi: float = 1.0
    default_levels = (0.5, 2.0)
    dim_x = 1
    dim_y = 1

    def sample(self, n, generator):
        x, e = torch.randn(2, n, 1, generator=generator)
        return x, x + e / math.sqrt(math.expm1(2 * self.mi))

    def log_ratio(self, x, y):
        s = 1 / math.sqrt(math.expm1(2 * self.mi))
        return (self.mi + y.square() / (2 + 2 * s * s) - (y - x).square() / (2 * s * s)).squeeze(-1)
'''


def task(old: str, new: str) -> str:
    assert old in TASK
    return HEAD + TASK.replace(old, new)


WRONG_TASKS: dict[str, tuple[str, str, str]] = {
    "truth that is off": (
        task("return x, x + e /", "return x, x + 1.3 * e /"),
        "log ratio",
        "one of sample, log_ratio and mi is wrong",
    ),
    "ratio and truth off together": (  # the information is mi - 1, mi and the ratio say mi
        HEAD
        + TASK.replace("expm1(2 * self.mi)", "expm1(2 * self.mi - 2)")
        .replace("0.5, 2.0", "1.5, 2.0")
        .replace("mi: float = 1.0", "mi: float = 1.5"),
        "normalised ratio",
        "log_ratio is too large",
    ),
    "all pairs by another way than each": (
        task(
            "    def log_ratio",
            "    def log_ratio_of_all_pairs(self, x, y):\n        return x @ y.T\n\n    def log_ratio",
        ),
        "log ratio",
        "log_ratio_of_all_pairs differs from log_ratio",
    ),
    "wrong shape": (
        task("return x, x +", "return x[0], x +"),
        "shapes",
        "sample(1) gives x of shape (1,); it must be (1, 1), a row per pair",
    ),
    "arrays": (
        task("return x, x + e / math.sqrt(math.expm1(2 * self.mi))", "return x.numpy(), x + e"),
        "shapes",
        "sample gives x as ndarray; it must be a tensor",
    ),
    "integers": (task("return x, x +", "return x.long(), x +"), "shapes", "critics need floating point"),
    "a fixed sample": (
        task("generator=generator", "generator=torch.Generator().manual_seed(0)"),
        "fresh points",
        "the same pairs",
    ),
    "global randomness": (task(", generator=generator", ""), "own stream", "draws from torch's global generator"),
    "not finite": (task("/ math.sqrt", "* math.inf / math.sqrt"), "finite", "not finite"),
    "a knob that is ignored": (
        task("= 1.0\n", "= 1.0\n\n    def __post_init__(self):\n        object.__setattr__(self, 'mi', 1.0)\n"),
        "truth",
        "asked for mi = 0.5",
    ),
}

LABELS = """
    def labelled(self, n, generator, *, held_out):
        x = torch.randn(n, 1, generator=generator)
        return x, (x[:, 0] > 0).long()
"""

WRONG_TASKS |= {
    f"labels: {name}": (HEAD + TASK + LABELS.replace(*change), "labels", message)
    for name, (change, message) in {
        "one a column": (
            ("x[:, 0] > 0", "x > 0"),
            "x of shape (500, 1) and labels of shape (500, 1); they must be (k, 1) and (k,), a label each",
        ),
        "fractions": ((".long()", ".float()"), "labels are int64"),
        "all alike": (("> 0", "> 99"), "needs two or more"),
        "global randomness": ((", generator=generator", ""), "draws from torch's global generator"),
    }.items()
}

CRITIC = '''
from torch import nn

class Net(nn.Module):
    def __init__(self, dim_x, dim_y):
        super().__init__()
        self.w = nn.Linear(dim_x, 8)
        self.v = nn.Linear(dim_y, 8)

    def forward(self, x, y):
        return (nn.functional.dropout(self.w(x), 0.5, self.training) * self.v(y)).sum(-1)

@mibench.register_critic("wrong")
class Wrong(mibench.ModuleCritic):
    """A critic with a dropout of its own."""

    def module(self, dim_x, dim_y, architecture):
        return Net(dim_x, dim_y)
'''


def critic(old: str, new: str) -> str:
    assert CRITIC.count(old) == 1
    return HEAD + CRITIC.replace(old, new)


WRONG_CRITICS: dict[str, tuple[str, str, str]] = {
    "a column of scores": (
        critic(".sum(-1)", ".sum(-1, keepdim=True)"),
        "scores",
        "Net gives scores of shape (256, 1) for 256 pairs, not (256,); give one score per pair",
    ),
    "one score for all pairs": (
        critic(".sum(-1)", ".sum()"),
        "scores",
        "Net gives scores of shape () for 256 pairs, not (256,)",
    ),
    "dropout in evaluation": (critic("self.training", "True"), "scores", "let dropout act in training alone"),
    "dropout that hides that y is ignored": (critic("self.v(y)", "self.v(0 * y)"), "inputs", "scores ignore x or y"),
    "normalisation over the batch beside dropout": (
        critic("self.w = nn.Linear(dim_x, 8)", "self.w = nn.Sequential(nn.Linear(dim_x, 8), nn.BatchNorm1d(8))"),
        "pairs are not mixed",
        "no batch normalisation",
    ),
    "parameters of two types": (
        critic("nn.Linear(dim_y, 8)", "nn.Linear(dim_y, 8).double()"),
        "scores",
        "a critic's parameters are float32 and float64; make all of them float32, or all of them float64",
    ),
    "parameters in half precision": (
        critic("return Net(dim_x, dim_y)", "return Net(dim_x, dim_y).half()"),
        "scores",
        "parameters are float16; make",
    ),
}


@pytest.mark.parametrize(
    "source", [HEAD + CRITIC, critic("return Net(dim_x, dim_y)", "return Net(dim_x, dim_y).double()")]
)
def test_critics_with_their_own_dropout_and_precision_conform(source: str, tmp_path: Path) -> None:
    path = tmp_path / "plugin.py"
    path.write_text(source, encoding="utf-8")
    assert failures(check_plugin(path)) == []


OTHERS: dict[str, tuple[str, str, str]] = {
    "a critic that mixes pairs": (
        '''
@mibench.register_critic("wrong")
class Wrong(mibench.ModuleCritic):
    """A critic that is wrong."""

    def module(self, dim_x, dim_y, architecture):
        return Net(dim_x, dim_y)

class Net(torch.nn.Module):
    def __init__(self, dim_x, dim_y):
        super().__init__()
        self.w = torch.nn.Linear(dim_x, dim_y)

    def forward(self, x, y):
        return (self.w(x - x.mean(0)) * y).sum(-1)
''',
        "pairs are not mixed",
        "do not mix the pairs of a batch",
    ),
    "a sampler of other shapes": (
        '''
@mibench.register_negatives("wrong")
class Wrong(mibench.NegativeSampler):
    """A sampler that is wrong."""

    def per_row(self, batch):
        return 1

    def draw(self, y, batch, generator):
        return torch.randint(batch, (y.shape[0], batch, 2), generator=generator)
''',
        "indices",
        "gives torch.int64 of shape (5, 16, 2); it must be torch.int64 of shape (5, 16, 1)",
    ),
    "weights that are not finite": (
        '''
from mibench.negatives.proposals import Uniform

@mibench.register_negatives("wrong")
class Wrong(Uniform):
    """A proposal that is wrong."""

    def propose(self, task, y, batch, generator):
        drawn = super().propose(task, y, batch, generator)
        return type(drawn)(drawn.y, drawn.index, -math.inf * drawn.log_weights)
''',
        "indices",
        "log_weights are not finite; give log p(y) - log q(y)",
    ),
    "a sampler that hides its positives": (
        '''
@mibench.register_negatives("wrong")
class Wrong(mibench.NegativeSampler):
    """A sampler that is wrong."""

    def per_row(self, batch):
        return 1

    def draw(self, y, batch, generator):
        return torch.randint(batch, (y.shape[0], batch, 1), generator=generator)
''',
        "positives",
        "positive pairs stand among 16 negatives, but positives says 0",
    ),
    "a proposal whose weights are upside down": (
        '''
from mibench.negatives.proposals import Uniform

@mibench.register_negatives("wrong")
class Wrong(Uniform):
    """A proposal that is wrong."""

    def propose(self, task, y, batch, generator):
        drawn = super().propose(task, y, batch, generator)
        return type(drawn)(drawn.y, drawn.index, -drawn.log_weights)
''',
        "weights",
        "under q it must be 1",
    ),
}


ALL_WRONG = {
    **WRONG,
    **{f"task: {name}": case for name, case in WRONG_TASKS.items()},
    **{f"sample: {name}": case for name, case in WRONG_SAMPLE_ESTIMATORS.items()},
    **{f"critic: {name}": case for name, case in WRONG_CRITICS.items()},
    **{name: (HEAD + source, check, part) for name, (source, check, part) in OTHERS.items()},
}


@pytest.mark.parametrize("case", ALL_WRONG)
def test_a_wrong_plug_in_fails_the_check_that_is_meant_for_it(case: str, tmp_path: Path) -> None:
    source, check, part = ALL_WRONG[case]
    path = tmp_path / "plugin.py"
    path.write_text(source, encoding="utf-8")
    failed = {f.check: f.sentence for f in check_plugin(path) if not f.passed}
    assert check in failed, failed
    assert part in failed[check]
    assert "\n" not in failed[check]


EIGHT = (
    "wrong shape", "mixing runs of a pack", "wrong sign of the value",
    "a lower bound that over-estimates by a constant", "a ceiling that is passed",
    "state shared between runs", "an import error", "a name already taken",
)  # fmt: skip


@pytest.mark.parametrize("case", EIGHT)
def test_the_command_prints_the_sentence_and_exits_with_1(
    case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, check, part = WRONG[case]
    path = tmp_path / "plugin.py"
    path.write_text(source, encoding="utf-8")
    assert main(["check", str(path)]) == 1
    out, err = capfd.readouterr()
    assert [line for line in out.splitlines() if line.startswith(" FAILED") and f" {check} " in line and part in line]
    assert err == ""


def test_the_command_exits_with_2_where_there_is_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.py")]) == 2
    assert "none.py' does not exist; give a Python file or a folder of them" in capfd.readouterr().err


def test_findings_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import no_such_package\n", encoding="utf-8")
    (tmp_path / "b.py").write_text("x = 1\n", encoding="utf-8")
    assert [(f.subject, f.check, f.passed) for f in check_plugin(tmp_path)] == [
        ("a.py", "import", False),
        ("b.py", "import", True),
        ("b.py", "registration", False),
    ]


def test_checks_leave_threads_and_randomness_as_they_were() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    check_task(TASKS.create("gaussian20d"))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
