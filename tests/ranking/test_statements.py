"""What estimators state for boards: that it is true of the classes, and what boards make of it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pandas as pd
import pytest
import torch

import mibench
from mibench.analysis.labels import parameter_texts
from mibench.conformance.drawn_scores import as_leaves, gradients_of, random_scores, with_extras
from mibench.core.entries import Entry
from mibench.core.estimator import Density, Estimator, SampleEstimator
from mibench.core.registry import ESTIMATORS
from mibench.core.scores import Scores
from mibench.experiments.specs import params_json
from mibench.ranking.boards import Options, rank_methods
from mibench.ranking.sentences import coincident_sentence, given_sentence
from mibench.ranking.statements import Coincidence, read_coincidence
from tests.support.boards import rows

BUILT_IN = [entry for entry in ESTIMATORS.entries(all_versions=True) if entry.is_builtin]
IDS = [entry.id for entry in BUILT_IN]
NEGATIVES = (1, 3, 7)

SUBCLASS = '''
import mibench
from mibench.estimators.dime import GanDime


@mibench.register_estimator("halved-dime")
class Halved(GanDime):
    """Half of GAN-DIME.

    Source: none.
    """

    kind = "plug-in"
    given = "a half"

    def reduce(self, rows):
        return super().reduce(rows) / 2
'''


class TestGiven:
    @pytest.mark.parametrize("entry", BUILT_IN, ids=IDS)
    def test_it_is_read_without_importing_as_the_class_has_it(self, entry: Entry) -> None:
        assert entry.given == ESTIMATORS.get(entry.id).given

    @pytest.mark.parametrize("entry", BUILT_IN, ids=IDS)
    def test_whoever_is_told_the_entropy_or_has_a_parametric_density_says_so(self, entry: Entry) -> None:
        estimator = ESTIMATORS.create(entry.id)
        told = any(extra.of == "entropy of x" for extra in estimator.extras)
        family = any(isinstance(extra.of, Density) for extra in estimator.extras)
        family |= (estimator.own_critic or "").startswith("conditional-")
        assert ("entropy of x" in entry.given) == told
        if not isinstance(estimator, SampleEstimator):
            assert bool(entry.given) == (told or family)

    def test_those_that_take_a_sample_for_gaussian_say_so(self) -> None:
        stated = {
            entry.name for entry in BUILT_IN if issubclass(ESTIMATORS.get(entry.id), SampleEstimator) and entry.given
        }
        assert stated == {"cca", "gaussian-copula"}

    def test_boards_have_it_and_say_it_once(self) -> None:
        runs = rows({"nwj": 0.2, "barber-agakov": 0.1})
        (board,) = rank_methods(runs).boards
        assert dict(zip(board.table["method"], board.table["given"], strict=True)) == {
            "barber-agakov": "entropy of x; Gaussian x given y", "nwj": "",
        }  # fmt: skip
        said = given_sentence([board])
        assert said.endswith("others have to learn: barber-agakov (entropy of x; Gaussian x given y)")
        assert given_sentence(rank_methods(rows({"nwj": 0.2})).boards) == ""

    def test_of_a_plug_in_that_nobody_has_loaded_nothing_is_known(self) -> None:
        table = mibench.leaderboard(rows({"my-own-bound": 0.2}))
        assert set(table["given"]) == {""}


def drawn(estimator: Estimator, seed: int, negatives: int) -> Scores:
    scores = random_scores(seed, n=8, m=negatives, dtype=torch.float64)
    if seed % 2 and negatives == 7:
        scores = Scores.from_matrix(random_scores(seed, n=8, m=8, dtype=torch.float64).neg)
    return as_leaves(with_extras(estimator, scores, seed))


def alike(one: Estimator, other: Estimator, negatives: int) -> bool:
    """Whether two estimators give the same values, and losses with the same gradients, on scores drawn alike."""
    for seed in range(4):
        leaves = [drawn(estimator, seed, negatives) for estimator in (one, other)]
        values = [estimator.estimate(scores) for estimator, scores in zip((one, other), leaves, strict=True)]
        slopes = [
            gradients_of(estimator.loss(scores), scores) for estimator, scores in zip((one, other), leaves, strict=True)
        ]
        same = zip((values[0], *slopes[0]), (values[1], *slopes[1]), strict=True)
        if not all(torch.allclose(left, right, rtol=1e-9, atol=1e-12) for left, right in same):
            return False
    return True


def comparable(one: Estimator, other: Estimator, negatives: int) -> bool:
    """Whether nothing but the scores goes into either: no state, and the same beside and in place of the critic.

    Who brings a sampler has all other instances as negatives, never one.
    """
    if one.own_negatives and negatives == 1:
        return False
    beside = (one.own_critic, one.own_negatives, one.extras) == (other.own_critic, other.own_negatives, other.extras)
    return beside and not one.state_size and not other.state_size


def states(one: Entry, other: Entry, negatives: int) -> bool:
    """Whether an estimator with its defaults states that it coincides with another one."""
    own = parameter_texts(params_json(ESTIMATORS.create(one.id).params()))
    facts = {**own, "n_negatives": str(negatives)}
    stated = [found for found in map(read_coincidence, one.coincides) if found.other == other.id]
    return any(all(facts.get(name) == value for name, value in found.conditions.items()) for found in stated)


class TestCoincidences:
    @pytest.mark.parametrize("negatives", NEGATIVES)
    def test_all_that_coincide_state_it_and_what_is_stated_is_so(self, negatives: int) -> None:
        made = {entry: ESTIMATORS.create(entry.id) for entry in BUILT_IN}
        made = {entry: one for entry, one in made.items() if not isinstance(one, SampleEstimator)}
        stated, found = set(), set()
        for (first, one), (second, other) in itertools.combinations(made.items(), 2):
            if states(first, second, negatives) or states(second, first, negatives):
                stated.add((first.id, second.id))
            if comparable(one, other, negatives) and alike(one, other, negatives):
                found.add((first.id, second.id))
        assert found == stated
        assert len(found) == (3 if negatives == 1 else 2)

    def test_with_parameters(self) -> None:
        pairs = [("holder-flatnce:gamma=1", "flatnce", 7), ("holder-flatnce:gamma=3", "flatnce", 1)]
        for text, other, negatives in pairs:
            assert alike(ESTIMATORS.create(text), ESTIMATORS.create(other), negatives)
        assert not alike(ESTIMATORS.create("holder-flatnce:gamma=3"), ESTIMATORS.create("flatnce"), 7)

    @pytest.mark.parametrize("entry", [entry for entry in BUILT_IN if entry.coincides], ids=lambda entry: entry.id)
    def test_what_they_name_exists(self, entry: Entry) -> None:
        parameters = {field.name for field in dataclasses.fields(ESTIMATORS.get(entry.id))}
        assert entry.coincides == ESTIMATORS.get(entry.id).coincides
        for stated in map(read_coincidence, entry.coincides):
            assert ESTIMATORS.entry(stated.other).id == stated.other
            assert set(stated.conditions) <= {*parameters, "n_negatives"}

    def test_a_statement_is_read(self) -> None:
        assert read_coincidence("js-v1") == Coincidence("js-v1", {})
        assert read_coincidence("a-v2 where b=1,c=x") == Coincidence("a-v2", {"b": "1", "c": "x"})

    def test_a_subclass_does_not_inherit_it(self, tmp_path: Path) -> None:
        (tmp_path / "halved.py").write_text(SUBCLASS, encoding="utf-8")
        mibench.load_plugins([tmp_path / "halved.py"])
        entry = ESTIMATORS.entry("halved-dime")
        assert entry.coincides == ()
        assert entry.given == "a half"


class TestBoards:
    def test_one_of_the_two_is_ranked_and_the_other_named(self) -> None:
        runs = rows({"js": 0.1, "gan-dime": 0.11, "smile": 0.3}, kind="plug-in", negatives="derangement")
        ranking = rank_methods(runs)
        (board,) = ranking.boards
        assert board.table["method"].tolist() == ["js", "smile"]
        alone = rank_methods(runs[runs["estimator"] != "gan-dime"])
        pd.testing.assert_frame_equal(board.table, alone.boards[0].table, check_exact=True)
        pd.testing.assert_frame_equal(ranking.cells, alone.cells, check_exact=True)
        assert ranking.coincident[["track", "part", "method", "twin"]].to_numpy().tolist() == [
            ["plug-in", "all", "gan-dime", "js"]
        ]
        assert coincident_sentence(ranking).endswith("are the same: gan-dime is js, in track plug-in")
        assert mibench.leaderboard(runs).attrs["coincident"] == [
            {"track": "plug-in", "part": "all", "method": "gan-dime", "twin": "js"}
        ]

    def test_alone_it_is_ranked(self) -> None:
        ranking = rank_methods(rows({"gan-dime": 0.1, "smile": 0.3}, kind="plug-in"))
        assert ranking.boards[0].table["method"].tolist() == ["gan-dime", "smile"]
        assert coincident_sentence(ranking) == ""

    def test_beside_one_that_lacks_runs_it_is_ranked(self) -> None:
        runs = rows({"js": 0.1, "gan-dime": 0.11}, kind="plug-in")
        assert rank_methods(runs.iloc[1:]).boards[0].table["method"].tolist() == ["gan-dime"]

    def test_in_two_tracks_both_are_ranked(self) -> None:
        runs = pd.concat([rows({"infonce": 0.1}), rows({"vince": 0.1}, kind="plug-in")])
        assert len(rank_methods(runs).coincident) == 0

    def test_with_samplers_of_their_own_they_are_two(self) -> None:
        runs = pd.concat([
            rows({"js": 0.1}, kind="plug-in", negatives="shuffle"),
            rows({"gan-dime": 0.1}, kind="plug-in", negatives="derangement"),
        ])  # fmt: skip
        ranking = rank_methods(runs)
        assert set(ranking.boards[0].table["method"]) == {"js", "gan-dime"}

    def test_parameters_decide(self) -> None:
        def left(form: str, ess: str, other: str) -> list[str]:
            made = [
                rows({"vince": 0.1}, estimator_params=f'{{"ess":{ess},"form":"{form}"}}', kind="plug-in"),
                rows({"infonce": 0.2}, estimator_params=f'{{"ess":{other}}}', kind="plug-in"),
            ]
            return rank_methods(pd.concat(made)).coincident["twin"].tolist()

        assert left("simplified", "null", "null") == ["infonce"]
        assert left("simplified", "0.5", "0.5") == ["infonce"]
        assert left("simplified", "0.5", "null") == []
        assert left("weighted", "null", "null") == []

    def test_all_cells_of_a_board_decide_and_a_part_by_its_own(self) -> None:
        pair = {"flatnce": 0.1, "holder-flatnce": 0.2}
        runs = pd.concat([
            rows(pair, negatives="shuffle", n_negatives=1), rows(pair, negatives="all-pairs", n_negatives=63),
        ])  # fmt: skip
        assert len(rank_methods(runs).boards[0].table) == 2
        parts = rank_methods(runs, Options(by="sampler"))
        assert parts.coincident[["part", "method", "twin"]].to_numpy().tolist() == [
            ["shuffle", "holder-flatnce", "flatnce"]
        ]
        assert {board.part: len(board.table) for board in parts.boards} == {"all-pairs": 2, "shuffle": 1}
