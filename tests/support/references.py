"""The estimators' formulas as plain float64 loops over lists: what the vectorised ones are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable

Value = Callable[[list[float], list[list[float]]], float]


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def flat(neg: list[list[float]]) -> list[float]:
    return [q for row in neg for q in row]


def log_mean(values: list[float]) -> float:
    top = max(values)
    return top + math.log(mean([math.exp(v - top) for v in values]))


def dv(pos: list[float], neg: list[list[float]]) -> float:
    return mean(pos) - log_mean(flat(neg))


def nwj(pos: list[float], neg: list[list[float]]) -> float:
    return mean(pos) - mean([math.exp(q - 1) for q in flat(neg)])


def infonce(pos: list[float], neg: list[list[float]]) -> float:
    rows = []
    for p, row in zip(pos, neg, strict=True):
        top = max(p, *row)
        total = math.exp(p - top) + math.fsum(math.exp(q - top) for q in row)
        rows.append(p - top - math.log(total / (len(row) + 1)))
    return mean(rows)


def js_nwj(pos: list[float], neg: list[list[float]]) -> float:
    return mean(pos) + 1 - mean([math.exp(q) for q in flat(neg)])


def smile(tau: float) -> Value:
    return lambda pos, neg: mean(pos) - log_mean([min(max(q, -tau), tau) for q in flat(neg)])


def js_loss(pos: list[float], neg: list[list[float]]) -> float:
    def softplus(v: float) -> float:
        return max(v, 0) + math.log1p(math.exp(-abs(v)))

    return mean([softplus(-p) for p in pos]) + mean([softplus(q) for q in flat(neg)])


def alpha_cpc(alpha: float) -> Value:
    def value(pos: list[float], neg: list[list[float]]) -> float:
        m = len(neg[0]) + 1
        weight = (m - alpha) / (m - 1)
        denominators = [
            alpha * math.exp(p) + weight * math.fsum(math.exp(q) for q in row) for p, row in zip(pos, neg, strict=True)
        ]
        return mean([math.log(m * math.exp(p) / d) for p, d in zip(pos, denominators, strict=True)])

    return value


def alpha_ml_cpc(alpha: float) -> Value:
    def value(pos: list[float], neg: list[list[float]]) -> float:
        n, m = len(pos), len(neg[0]) + 1
        denominator = alpha * math.fsum(math.exp(p) for p in pos)
        denominator += (m - alpha) / (m - 1) * math.fsum(math.exp(q) for q in flat(neg))
        return mean([math.log(n * m * math.exp(p) / denominator) for p in pos])

    return value


def kl_loss(pos: list[float], neg: list[list[float]]) -> float:
    return -(1 + mean(pos) - mean([math.exp(q) for q in flat(neg)]))


def hellinger_loss(pos: list[float], neg: list[list[float]]) -> float:
    d_pos, d_neg = [math.exp(-p / 2) for p in pos], [math.exp(-q / 2) for q in flat(neg)]
    return -(2 - mean(d_pos) - mean([1 / d for d in d_neg]))


def gan_loss(pos: list[float], neg: list[list[float]]) -> float:
    d_pos, d_neg = [1 / (1 + math.exp(p)) for p in pos], [1 / (1 + math.exp(q)) for q in flat(neg)]
    return -(mean([math.log(1 - d) for d in d_pos]) + mean([math.log(d) for d in d_neg]) + math.log(4))


def tuba_without_baseline(pos: list[float], neg: list[list[float]]) -> float:
    return 1 + mean(pos) - mean([math.exp(q) for q in flat(neg)])


def flo_without_dual(pos: list[float], neg: list[list[float]]) -> float:
    return 1 - mean([math.exp(q - p) for p, row in zip(pos, neg, strict=True) for q in row])


def interpolated_without_baseline(alpha: float) -> Value:
    def value(pos: list[float], neg: list[list[float]]) -> float:
        joint, marginal = [], []
        for p, row in zip(pos, neg, strict=True):
            m = len(row)
            for j in range(m):
                others = math.fsum(math.exp(q) for k, q in enumerate(row) if k != j)
                joint.append(p - math.log(alpha * (math.exp(p) + others) / m + 1 - alpha))
            mixed = alpha * mean([math.exp(q) for q in row]) + 1 - alpha
            marginal += [math.exp(q) / mixed for q in row]
        return 1 + mean(joint) - mean(marginal)

    return value


def anchor_loss(nu: float) -> Value:
    def value(pos: list[float], neg: list[list[float]]) -> float:
        losses = []
        for p, row in zip(pos, neg, strict=True):
            k, total = len(row), math.fsum(math.exp(q) for q in row)
            found = mean([-math.log(math.exp(p) / (nu + math.exp(p) + total - math.exp(q))) for q in row])
            losses.append((k * found - nu * math.log(nu / (nu + total))) / (k + nu))
        return mean(losses)

    return value


def tre_loss(bridges: int) -> Value:
    def value(pos: list[float], neg: list[list[float]]) -> float:
        trained = min(bridges, len(neg[0]))  # bridges without scores stand at 0
        return (js_loss(pos, [row[:1] for row in neg]) + (trained - 1) * 2 * math.log(2)) / trained

    return value


def plug_in(pos: list[float], neg: list[list[float]]) -> float:
    return mean(pos)


def club(pos: list[float], neg: list[list[float]]) -> float:
    return mean(pos) - mean(flat(neg))


def l1out(pos: list[float], neg: list[list[float]]) -> float:
    return mean([p - log_mean(row) for p, row in zip(pos, neg, strict=True)])


def hybrid_without_density(pos: list[float], neg: list[list[float]]) -> float:
    return 0.75 * infonce(pos, neg)


def constantly_one(pos: list[float], neg: list[list[float]]) -> float:
    return 1.0


def without_positives(pos: list[float], neg: list[list[float]]) -> float:
    return mean([p - log_mean(row) for p, row in zip(pos, neg, strict=True)])


def minus(value: Value) -> Value:
    return lambda pos, neg: -value(pos, neg)


# name -> (estimate, loss)
REFERENCES: dict[str, tuple[Value, Value]] = {
    "dv": (dv, minus(dv)),
    "mine": (dv, minus(dv)),
    "nwj": (nwj, minus(nwj)),
    "tuba": (tuba_without_baseline, minus(tuba_without_baseline)),
    "flo": (flo_without_dual, minus(flo_without_dual)),
    "infonce": (infonce, minus(infonce)),
    "infonce-anchor": (plug_in, anchor_loss(1.0)),
    "infonce-anchor:nu=0.1": (plug_in, anchor_loss(0.1)),
    "interpolated": (interpolated_without_baseline(0.5), minus(interpolated_without_baseline(0.5))),
    "interpolated:alpha=1": (interpolated_without_baseline(1.0), minus(interpolated_without_baseline(1.0))),
    "tre": (plug_in, tre_loss(4)),
    "tre:bridges=1": (plug_in, tre_loss(1)),
    "alpha-cpc:alpha=1.5": (alpha_cpc(1.5), minus(alpha_cpc(1.5))),
    "alpha-cpc:alpha=0.001": (alpha_cpc(0.001), minus(alpha_cpc(0.001))),
    "ml-cpc": (alpha_ml_cpc(1.0), minus(alpha_ml_cpc(1.0))),
    "alpha-ml-cpc:alpha=1.5": (alpha_ml_cpc(1.5), minus(alpha_ml_cpc(1.5))),
    "alpha-ml-cpc:alpha=0.001": (alpha_ml_cpc(0.001), minus(alpha_ml_cpc(0.001))),
    "vince": (infonce, minus(infonce)),  # weights and acceptances are in test_vince
    "vince-plus": (infonce, minus(infonce)),
    "ir": (infonce, minus(infonce)),
    "ball:nearest=100": (infonce, minus(infonce)),  # all instances; smaller sets are in test_memory_bank
    "local-aggregation:nearest=100,close=1": (infonce, minus(infonce)),
    "annulus:nearest=100,close=1": (without_positives, minus(without_positives)),
    "flatnce": (infonce, constantly_one),
    "holder-flatnce:gamma=0.5": (infonce, constantly_one),
    "kl-dime": (plug_in, kl_loss),
    "hd-dime": (plug_in, hellinger_loss),
    "gan-dime": (plug_in, gan_loss),
    "club": (club, minus(plug_in)),
    "l1out": (l1out, minus(plug_in)),
    "barber-agakov": (plug_in, minus(plug_in)),
    "hybrid:a=0.25": (hybrid_without_density, minus(hybrid_without_density)),
    "doe": (plug_in, minus(plug_in)),
    "v-information": (plug_in, minus(plug_in)),
    "js": (plug_in, js_loss),
    "js-nwj": (js_nwj, js_loss),
    "smile:tau=1": (smile(1.0), js_loss),
    "smile:tau=5": (smile(5.0), js_loss),
    "smile:tau=inf": (smile(math.inf), js_loss),
}
