"""The leaderboard's statistics, against numbers worked out by hand, scipy, and simulations of 500 boards."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from mibench.analysis.metrics import Floats
from mibench.ranking.groups import holm, letters, paired_p_values, paired_p_values_over_seeds, ranks, win_shares
from mibench.ranking.inference import infer
from mibench.ranking.statistics import (
    LEAST_SPREAD,
    Bools,
    bootstrap_interval,
    by_task_and_seed,
    by_unit,
    equal_mean,
    finite_mean,
    log_error,
    mean_over_seeds,
    monotonicity,
    normalised_error,
    seed_interval,
)
from tests.support.simulated_boards import CORRELATIONS, FAMILIES, simulate, simulated_board

BOARDS = 500
NAN = math.nan
ONE = np.zeros(1, dtype=np.int64)
"""The family of a board's only task."""


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class TestErrors:
    def test_error_by_hand(self) -> None:
        truth = np.array([10.0, 10, 10, 10, 0.5, 0.5, 0])
        estimate = np.array([7.0, 13, 0, 40, 0.2, 0, 0.25])
        assert normalised_error(estimate, truth) == pytest.approx([0.3, 0.3, 1, 1, 0.3, 0.5, 0.25])

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
    def test_what_is_no_estimate_counts_at_the_cap(self, value: float) -> None:
        assert normalised_error(np.array([value]), np.array([2.0]), cap=0.7) == [0.7]

    def test_log_error_by_hand(self) -> None:
        truth = np.array([7.0, 3, 7, 0, 0, 10])
        estimate = np.array([3.0, 7, 0, 0.5, 0, 10])
        log = math.log
        assert log_error(estimate, truth) == pytest.approx([log(2), log(2), log(8), log(1.5), 0, 0])

    def test_log_error_of_an_estimate_below_zero_is_that_of_zero(self) -> None:
        truth = np.array([0.0, 0.5, 5.0, 30.0])
        for value in (-1e-9, -0.5, -1.0, -40.0):
            assert log_error(np.full(4, value), truth).tolist() == log_error(np.zeros(4), truth).tolist()

    def test_log_error_goes_on_counting_beyond_twice_the_truth_up_to_what_zero_scores(self) -> None:
        truth = np.full(4, 5.0)
        found = log_error(np.array([10.0, 20.0, 35.0, 1e9]), truth)  # 1 + 35 is the square of 1 + 5
        assert found == pytest.approx([math.log(11 / 6), math.log(21 / 6), math.log(6), math.log(6)])
        assert normalised_error(np.array([10.0, 20.0, 35.0, 1e9]), truth).tolist() == [1, 1, 1, 1]

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("truth", [0.0, 0.3, 1.0, 2.0, 30.0])
    def test_log_error_of_what_is_no_estimate_is_the_largest_and_no_better_than_zero(
        self, value: float, truth: float
    ) -> None:
        at = np.array([truth])
        found = log_error(np.array([value]), at)[0]
        assert found == pytest.approx(math.log(1 + max(truth, 1)))
        assert found == max(log_error(np.array([other]), at)[0] for other in (-9.0, 0.0, truth, 1e12))

    def test_units_count_equally_whatever_their_size(self) -> None:
        # Unit 0 has the mean 2 of three members, unit 1 the mean 10 of one: (2 + 10) / 2 = 6.
        assert equal_mean(np.array([1.0, 2, 3, 10]), np.array([0, 0, 0, 1])) == 6
        assert by_unit(np.array([[1.0, 2, 3, 10]]), np.array([0, 0, 0, 1])).tolist() == [[2, 10]]

    def test_what_is_missing_is_left_out_and_never_made_up(self) -> None:
        values = np.array([[1.0, NAN, NAN, 3], [NAN, NAN, NAN, NAN]])
        assert equal_mean(values, np.array([0, 0, 1, 2])).tolist() == pytest.approx([2, NAN], nan_ok=True)
        assert finite_mean(values, axis=1).tolist() == pytest.approx([2, NAN], nan_ok=True)

    def test_cells_of_a_task_are_averaged_seed_by_seed(self) -> None:
        errors = np.array([[[1.0, 2], [3, NAN], [5, 6]]])
        assert by_task_and_seed(errors, np.array([0, 0, 1])).tolist() == [[[2, 2], [5, 6]]]


def simulated(kind: str, draws: np.random.Generator, *, methods: int = 3, tasks: int = 8, seeds: int = 3) -> Floats:
    """Errors of methods whose expected error is 0.4: common effects of tasks, effects of one's own, and noise."""
    shape = (methods, tasks, seeds)
    common, own, noise = (draws.normal(0, 1, s) for s in ((1, tasks, 1), (methods, tasks, 1), shape))
    if kind == "alike tasks":
        return 0.4 + 0.1 * noise
    if kind == "spread tasks":
        return 0.4 + 0.15 * common + 0.05 * own + 0.05 * noise
    effects = draws.beta(1, 1.5, (methods, tasks, 1))  # mean 0.4: good at many tasks, useless at some
    return effects + 0.05 * noise


class TestBootstrap:
    """Families of one task each, but where something else is said."""

    @pytest.mark.parametrize("kind", ["alike tasks", "spread tasks", "skewed"])
    def test_intervals_cover_at_their_level_on_500_boards(self, kind: str) -> None:
        draws, covered, each = generator(1), [], np.arange(8)
        for _ in range(BOARDS):
            interval = bootstrap_interval(simulated(kind, draws), each, each, draws, resamples=399)
            covered.append((interval.low <= 0.4) & (interval.high >= 0.4))
        # Three standard errors of 500 boards are 0.029; methods of a board share their tasks and add little.
        assert 0.95 - 0.029 < np.mean(covered) < 0.95 + 0.029

    def test_quantiles_of_the_plain_mean_would_not(self) -> None:
        draws, covered = generator(1), []
        for _ in range(BOARDS):
            means = simulated("spread tasks", draws, methods=1)[0].mean(axis=1)
            drawn = means[draws.integers(8, size=(399, 8))].mean(axis=1)
            low, high = np.quantile(drawn, [0.025, 0.975])
            covered.append(low <= 0.4 <= high)
        assert np.mean(covered) < 0.95 - 0.029

    def test_agrees_with_all_resamples_written_out(self) -> None:
        values = np.array([0.1, 0.2, 0.5, 0.9])
        every = np.array(list(itertools.product(values, repeat=4)))
        mean, se = values.mean(), values.std(ddof=1) / 2
        drawn_se = np.maximum(every.std(axis=1, ddof=1) / 2, LEAST_SPREAD * se)
        ratio = (every.mean(axis=1) - mean) / drawn_se
        low, high = mean - np.quantile(ratio, [0.9, 0.1], method="inverted_cdf") * se
        each = np.arange(4)
        found = bootstrap_interval(values[None, :, None], each, each, generator(), confidence=0.8, resamples=39999)
        assert found.mean == pytest.approx([0.425])
        assert [found.low[0], found.high[0]] == pytest.approx([low, high], abs=0.01)

    def test_families_are_drawn_whole_and_count_equally(self) -> None:
        # Families of 1, 3, 2 and 1 tasks, each of the same errors within: as if each were one task of that error.
        families = np.array([0, 1, 1, 1, 2, 2, 3])
        values = np.array([0.1, 0.2, 0.5, 0.9])
        levels = bootstrap_interval(
            values[families][None, :, None], np.arange(7), families, generator(), confidence=0.8
        )
        each = np.arange(4)
        alone = bootstrap_interval(values[None, :, None], each, each, generator(), confidence=0.8)
        assert levels.mean == alone.mean == pytest.approx([0.425])
        assert (levels.low[0], levels.high[0]) == (alone.low[0], alone.high[0])

    def test_seeds_are_drawn_as_well_as_families(self) -> None:
        errors = simulated("spread tasks", generator(3))
        means = np.repeat(errors.mean(axis=2, keepdims=True), 3, axis=2)  # the same task means without spread of seeds
        each = np.arange(8)
        drawn, fixed = (bootstrap_interval(values, each, each, generator()) for values in (errors, means))
        assert drawn.mean == pytest.approx(fixed.mean)
        assert (np.abs(drawn.low - fixed.low) > 1e-4).all()

    def test_a_method_s_interval_does_not_depend_on_the_others(self) -> None:
        errors = simulated("spread tasks", generator(3))
        each = np.arange(8)
        together = bootstrap_interval(errors, each, each, generator())
        alone = bootstrap_interval(errors[[1]], each, each, generator())
        assert [value[1] for value in together] == pytest.approx([value[0] for value in alone], rel=1e-12)

    def test_cells_may_have_unequal_numbers_of_seeds(self) -> None:
        errors = simulated("spread tasks", generator(3))
        errors[:, ::2, 2] = NAN
        found = bootstrap_interval(errors, np.arange(8), np.arange(8), generator())
        assert found.mean == pytest.approx(finite_mean(errors, axis=2).mean(axis=1))
        assert (found.low < found.mean).all()
        assert (found.high > found.mean).all()

    def test_one_family_has_no_interval_over_families(self) -> None:
        found = bootstrap_interval(
            np.array([[[0.1, 0.2], [0.1, 0.2]]]), np.arange(2), np.zeros(2, np.int64), generator()
        )
        assert found.mean == pytest.approx([0.15])
        assert np.isnan([found.low, found.high]).all()

    def test_ends_do_not_pass_the_limits(self) -> None:
        errors = np.array([0.01, 0.02, 0.05, 0.9])[None, :, None]
        free, held = (
            bootstrap_interval(errors, np.arange(4), np.arange(4), generator(), limits=limits)
            for limits in ((-math.inf, math.inf), (0.0, 1.0))
        )
        assert free.low < 0
        assert held.low == 0
        assert held.high == np.minimum(free.high, 1)

    @pytest.mark.parametrize("families", [5, 8, 17])
    def test_one_family_unlike_all_others_does_not_make_it_endless(self, families: int) -> None:
        errors, each = np.ones((1, families, 1)), np.arange(families)
        errors[0, 0] = 0.5
        found = bootstrap_interval(errors, each, each, generator(), limits=(0, 1))
        assert found.low[0] == pytest.approx(1 - 0.5 / families * 5)  # four standard errors, 0.5 / F each, below
        assert found.high == 1

    def test_equal_errors_have_an_interval_of_no_width(self) -> None:
        found = bootstrap_interval(np.full((1, 5, 3), 0.1), np.arange(5), np.arange(5), generator())
        assert found.low == found.mean == found.high


class TestClusters:
    """Families of three levels whose errors go together: the whole inference of a board."""

    def test_intervals_cover_and_equal_methods_are_not_told_apart(self) -> None:
        for families in FAMILIES:
            for correlation in CORRELATIONS:
                found = simulate(correlation, families, generator(), boards=BOARDS, resamples=199)
                assert found.over == ("families" if families >= 8 else "seeds")
                assert found.told_apart <= 0.07, (families, correlation)
                assert found.covered >= 0.92, (families, correlation)

    def test_tasks_as_if_independent_would_not_hold_their_level(self) -> None:
        draws, covered, apart = generator(), [], []
        for _ in range(BOARDS // 5):
            board = simulated_board(0.6, 8, draws)
            tasks = np.arange(board.families.size)
            interval = bootstrap_interval(board.errors, tasks, tasks, draws, resamples=199)
            covered.append((interval.low <= board.truth) & (board.truth <= interval.high))
            apart.append((holm(paired_p_values(board.errors.mean(axis=2))) <= 0.05).any())
        assert np.mean(covered) < 0.85
        assert np.mean(apart) > 0.4

    def test_a_worse_method_is_told_apart(self) -> None:
        draws = generator(1)
        for families, over in ((5, "seeds"), (12, "families")):
            board = simulated_board(0.3, families, draws)
            errors = board.errors.copy()
            errors[0] += 0.5
            found = infer(errors, np.arange(board.families.size), board.families, draws, resamples=199)
            assert found.over == over
            assert found.different[0, 1:].all()


class TestSeeds:
    def test_of_one_task_it_is_the_t_interval(self) -> None:
        values = np.array([0.1, 0.25, 0.15, 0.4])
        found = seed_interval(values[None, None], ONE)
        low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
        assert [found.low[0], found.high[0]] == pytest.approx([low, high])

    def test_freedom_of_two_tasks_by_hand(self) -> None:
        # Variances of the means: 0.02 / 2 = 0.01 and 0.08 / 2 = 0.04; se = sqrt(0.05) / 2; 0.05^2 / (1e-4 + 16e-4).
        mean, se, freedom = mean_over_seeds(np.array([[0.1, 0.3], [0.4, 0.8]]), np.arange(2))
        assert (mean, se, freedom) == pytest.approx((0.4, math.sqrt(0.05) / 2, 0.0025 / 0.0017))

    def test_families_count_equally_by_hand(self) -> None:
        # Families of means 0.2 and (0.6 + 0.8) / 2; weights 1/2, 1/4, 1/4; variances of the means 0.01, 0.04, 0.
        values = np.array([[0.1, 0.3], [0.4, 0.8], [0.8, 0.8]])
        mean, se, freedom = mean_over_seeds(values, np.array([0, 1, 1]))
        assert mean == pytest.approx(0.45)
        assert se == pytest.approx(math.sqrt(0.01 / 4 + 0.04 / 16))
        assert freedom == pytest.approx(2.0)  # two equal parts with a degree each
        assert seed_interval(values[None], np.array([0, 1, 1])).mean == pytest.approx([0.45])

    def test_covers_on_500_boards_whose_tasks_differ(self) -> None:
        draws = generator(2)
        levels, spreads = np.array([0.1, 0.4, 0.7])[:, None], np.array([0.01, 0.05, 0.1])[:, None]
        found = seed_interval(levels + spreads * draws.normal(0, 1, (BOARDS, 3, 5)), np.arange(3))
        covered = ((found.low <= 0.4) & (found.high >= 0.4)).mean()
        assert 0.95 - 0.029 < covered < 0.95 + 0.029

    def test_one_seed_has_no_interval(self) -> None:
        found = seed_interval(np.array([[[0.1], [0.2]]]), np.arange(2))
        assert np.isnan([found.low, found.high]).all()

    def test_seeds_that_agree_have_an_interval_of_no_width(self) -> None:
        found = seed_interval(np.array([[[0.1, 0.1], [0.3, 0.3]]]), np.arange(2))
        assert found.low == found.mean == found.high


class TestTests:
    def test_p_values_are_those_of_the_paired_t_test(self) -> None:
        errors = simulated("spread tasks", generator(0)).mean(axis=2)
        p = paired_p_values(errors)
        assert p[0, 1] == pytest.approx(stats.ttest_rel(errors[0], errors[1]).pvalue)
        assert (p == p.T).all()
        assert (np.diag(p) == 1).all()

    def test_over_seeds_of_one_task_as_well(self) -> None:
        errors = simulated("alike tasks", generator(0), tasks=1, seeds=6)
        p = paired_p_values_over_seeds(errors, ONE)
        assert p[0, 2] == pytest.approx(stats.ttest_rel(errors[0, 0], errors[2, 0]).pvalue)

    def test_differences_without_spread(self) -> None:
        errors = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.2, 0.3, 0.4]])
        assert paired_p_values(errors)[0].tolist() == [1, 1, 0]
        assert paired_p_values_over_seeds(np.stack([errors, errors], axis=2), np.arange(3))[0].tolist() == [1, 1, 0]

    def test_one_family_or_one_seed_tells_nothing_apart(self) -> None:
        assert (paired_p_values(np.array([[0.1], [0.9]])) == 1).all()
        assert (paired_p_values_over_seeds(np.array([[[0.1]], [[0.9]]]), ONE) == 1).all()

    def test_holm_by_hand(self) -> None:
        # Sorted 0.01, 0.03, 0.04 times 3, 2, 1 are 0.03, 0.06, 0.04, and none may fall below the one before.
        p = np.array([[1, 0.01, 0.04], [0.01, 1, 0.03], [0.04, 0.03, 1]])
        assert holm(p)[np.triu_indices(3, 1)] == pytest.approx([0.03, 0.06, 0.06])
        assert (holm(p) == holm(p).T).all()
        assert holm(np.array([[1.0]])) == [[1]]

    @pytest.mark.parametrize("kind", ["alike tasks", "spread tasks", "skewed"])
    def test_equal_methods_are_grouped_on_500_boards_and_a_worse_one_is_not(self, kind: str) -> None:
        draws, grouped, apart = generator(4), 0, 0
        for _ in range(BOARDS):
            errors = simulated(kind, draws, methods=6).mean(axis=2)
            errors[5] = errors[0] + 0.3 + 0.05 * draws.normal(0, 1, 8)
            named = letters(holm(paired_p_values(errors)) <= 0.05)
            grouped += bool(set.intersection(*map(set, named[:5])))
            apart += not set(named[0]) & set(named[5])
        assert grouped >= 0.95 * BOARDS - 3 * math.sqrt(0.95 * 0.05 * BOARDS)
        assert grouped >= 0.9 * BOARDS
        assert apart > 0.95 * BOARDS

    def test_equal_methods_are_grouped_over_seeds_too(self) -> None:
        draws, grouped = generator(5), 0
        for _ in range(BOARDS):
            errors = simulated("alike tasks", draws, methods=5, tasks=3, seeds=4)
            grouped += len(set(letters(holm(paired_p_values_over_seeds(errors, np.arange(3))) <= 0.05))) == 1
        assert grouped >= 0.95 * BOARDS - 3 * math.sqrt(0.95 * 0.05 * BOARDS)


def pairs(count: int, *different: tuple[int, int]) -> Bools:
    matrix = np.zeros((count, count), dtype=bool)
    for one, other in different:
        matrix[one, other] = matrix[other, one] = True
    return matrix


class TestGroups:
    @pytest.mark.parametrize(("different", "named"), [
        ([], ["a", "a", "a"]),
        ([(0, 2)], ["a", "ab", "b"]),
        ([(0, 1), (0, 2)], ["a", "b", "b"]),
        ([(0, 1), (0, 2), (1, 2)], ["a", "b", "c"]),
    ])  # fmt: skip
    def test_letters_by_hand(self, different: list[tuple[int, int]], named: list[str]) -> None:
        assert letters(pairs(3, *different)) == named

    def test_two_methods_share_a_letter_if_and_only_if_they_were_not_told_apart(self) -> None:
        draws = generator(6)
        for _ in range(50):
            different = np.triu(draws.random((7, 7)) < 0.4, 1)
            different |= different.T
            named = letters(different)
            for one, other in itertools.combinations(range(7), 2):
                assert bool(set(named[one]) & set(named[other])) != different[one, other]

    def test_more_groups_than_letters(self) -> None:
        named = letters(~np.eye(60, dtype=bool))
        assert len(set(named)) == 60
        assert named[51:54] == ["Z", "a2", "b2"]

    def test_ranks_by_hand(self) -> None:
        # The third is worse than the first alone; nothing is known of the second.
        found = ranks(np.array([0.1, 0.2, 0.3]), pairs(3, (0, 2)))
        assert found.rank.tolist() == [1, 2, 3]
        assert found.best.tolist() == [1, 1, 2]
        assert found.worst.tolist() == [2, 3, 3]

    def test_equal_errors_share_a_rank(self) -> None:
        assert ranks(np.array([0.3, 0.1, 0.1 + 1e-16]), pairs(3)).rank.tolist() == [3, 1, 1]

    def test_wins_by_hand(self) -> None:
        shares = win_shares(np.array([[0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.1, 0.5]]))  # won, tied, lost, won
        assert shares[0, 1] == 0.625
        assert shares[1, 0] == 0.375
        assert np.isnan(np.diag(shares)).all()


class TestMonotonicity:
    def tau(self, *estimates: float, families: tuple[int, ...] = (0, 0, 0)) -> float:
        settings = (0, 0, 0)
        truth = np.array([2.0, 5, 10])
        return float(monotonicity(np.array([estimates]), truth, np.array(families), np.array(settings))[0])

    def test_by_hand(self) -> None:
        assert self.tau(1, 2, 3) == 1
        assert self.tau(3, 2, 1) == -1
        assert self.tau(1, 3, 2) == pytest.approx(1 / 3)  # two pairs in order, one against
        assert self.tau(1, 1, 2) == pytest.approx(2 / 3)  # a tie is neither

    def test_a_level_without_an_estimate_is_in_no_order(self) -> None:
        assert self.tau(1, NAN, 2) == pytest.approx(1 / 3)

    def test_agrees_with_kendall(self) -> None:
        draws = generator(7)
        truth, estimates = np.arange(9.0), draws.normal(0, 1, 9) + np.arange(9) / 3
        zeros = np.zeros(9, dtype=np.int64)
        found = monotonicity(estimates[None], truth, zeros, zeros)
        assert found == pytest.approx([stats.kendalltau(truth, estimates).statistic])

    def test_families_count_equally_and_settings_are_not_mixed(self) -> None:
        truth = np.array([2.0, 5, 10, 2, 5, 2])
        families, settings = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 2])
        rising, falling = [1.0, 2, 3], [2.0, 1]
        assert monotonicity(np.array([[*rising, *falling, 99]]), truth, families, settings) == [0]

    def test_one_level_or_equal_levels_have_no_order(self) -> None:
        assert math.isnan(self.tau(1, 2, 3, families=(0, 1, 2)))
        equal = monotonicity(np.array([[1.0, 2]]), np.array([5.0, 5.0]), np.zeros(2, np.int64), np.zeros(2, np.int64))
        assert np.isnan(equal).all()
