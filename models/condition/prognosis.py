"""How long: growth extrapolated to the next limit, as an interval with its confidence; silent when the data cannot say.

A score's history is kept in buckets at several time scales (`models.condition.trend`), so that growth over minutes and over
weeks are both seen. At each scale the buckets are compared with a family of courses: a level that stays for a while and
then grows, straight, as a square or exponentially, so that it reaches the limit at a moment T. For each course the level
is the only free number, so its marginal likelihood has a closed form (Zellner, An introduction to Bayesian inference in
econometrics, 1971, chapter 3), and the sum over the courses gives the probability distribution of T (Bayesian model
averaging: Hoeting et al., Statistical Science 1999). Its quantiles are the interval. Against growth stand a level that
stays and one that jumped once: no statement is made unless growth is far likelier than both.

In the sense of ISO 13381-1:2015 the statement names the limit, the interval and the confidence, and extrapolates no farther
than a multiple of what was observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

CONFIDENCE = 0.8
LEAST_BUCKETS = 16
HORIZON = 3.0
"""No statement that reaches farther than so many times the observed growth."""
WIDEST = 6.0
"""No statement whose end is more than so many times as far as its beginning (and a bucket): it would say nothing."""
EVIDENCE = 1e4
"""How many times likelier growth must be than none."""
NOTEWORTHY = 0.1
"""Growth, in shares of the limit, below which nothing is said."""
ROUGHNESS = 0.04
"""Share of the growth by which its true course is taken to differ from every one of the family."""
ONSETS = np.linspace(0.0, 0.85, 16)
"""When growth begins, in shares of the observed time."""
AHEAD = np.geomspace(0.03, 12.0, 40)
"""When the limit is reached, in multiples of the growth so far; beyond `HORIZON` they only take their share of probability."""
POWERS = ((1.0, 0.35), (2.0, 0.15))
RATES = ((0.75, 0.15), (1.5, 0.2), (3.0, 0.15))
"""Courses with their prior probabilities: power, and exponential by e-foldings from onset to limit."""


class Crossing(NamedTuple):
    """When the limit is reached, in seconds after the last bucket's end, and how far growth is likelier than none (log)."""

    low_s: float
    high_s: float
    evidence: float
    growth_s: float
    """How long it has been growing."""


def crossing(times: Floats, levels: Floats, now_s: float) -> Crossing | None:
    """When a growing level reaches 1; None where the data cannot say.

    Args:
        times: (n,) middles of the buckets, rising, s.
        levels: (n,) in shares of the limit.
        now_s: the end of the last bucket.
    """
    count = len(levels)
    if count < LEAST_BUCKETS:
        return None
    present = float(levels[-count // 8 :].mean())
    grown = present - float(np.median(levels[: count // 2]))
    if grown < NOTEWORTHY or present >= 1.0:
        return None
    since = now_s - (times[0] + (now_s - times[0]) * ONSETS)
    ahead = np.outer(since, AHEAD)
    share = (times - now_s + since[:, None])[:, None, :] / (since[:, None] + ahead)[:, :, None]
    np.maximum(share, 0.0, out=share)
    # What is missing to the limit is the course's own share of `short`: a regression through the origin, so that two sums
    # for each course are all that is needed.
    lack = levels - 1.0
    squares, products, best = [], [], (np.inf, lack)
    for course in _courses(share):
        short = 1.0 - course
        squares.append(np.einsum("otk,otk->ot", short, short))
        products.append(short @ lack)
        rest = -(products[-1] ** 2) / squares[-1]
        if rest.min() < best[0]:
            place = np.unravel_index(int(rest.argmin()), rest.shape)
            best = (float(rest.min()), lack - products[-1][place] / squares[-1][place] * short[place])
    weight, product = np.stack(squares), np.stack(products)
    level = 1.0 + product / weight
    rest = np.maximum(lack @ lack - product**2 / weight, 0.0)
    prior = np.log([probability for _, probability in (*POWERS, *RATES)])[:, None, None]
    looks = _independent(best[1])
    rough = count * (ROUGHNESS * grown) ** 2
    likelihood = prior - 0.5 * np.log(weight) - 0.5 * (looks - 1.0) * np.log(rest + rough)
    likelihood[(level >= 1.0) | (level < -0.5)] = -np.inf
    highest = float(likelihood.max())
    if not np.isfinite(highest):
        return None
    probability = np.exp(likelihood - highest)
    total = float(probability.sum())
    evidence = highest + float(np.log(total / since.size / AHEAD.size)) - _without_growth(levels, looks, rough)
    growth_s = float(probability.sum(axis=(0, 2)) @ since) / total
    low_s, high_s = _quantiles(ahead, probability.sum(axis=0))
    bucket_s = (now_s - times[0]) / count
    if evidence < np.log(EVIDENCE) or high_s > HORIZON * growth_s or high_s > WIDEST * low_s + bucket_s:
        return None
    return Crossing(low_s, high_s, evidence, growth_s)


def _courses(share: Floats) -> Iterator[Floats]:
    """The family over shares of the way from onset to crossing: 0 at the onset, 1 at the crossing."""
    for power, _ in POWERS:
        yield share if power == 1.0 else share**power
    for rate, _ in RATES:
        yield np.expm1(rate * share) / np.expm1(rate)


def _independent(residual: Floats) -> float:
    """Independent looks among residuals that follow each other, by their first autocorrelation (Bartlett 1935).

    The correlation that is left after a fit is too small by about as much as is added here (Marriott and Pope 1954).
    """
    count = len(residual)
    square = float(residual @ residual)
    raw = float(residual[1:] @ residual[:-1]) / square if square > 0.0 else 0.0
    correlation = min(max(raw + 4.0 * (1.0 + max(raw, 0.0)) / count, 0.0), 0.95)
    return max(count * (1.0 - correlation) / (1.0 + correlation), 4.0)


def _without_growth(levels: Floats, looks: float, rough: float) -> float:
    """Log marginal likelihood that the level stayed, or jumped once at some bucket."""
    count = len(levels)
    offset = levels - levels.mean()
    stays = -0.5 * np.log(count) - 0.5 * (looks - 1.0) * np.log(float(offset @ offset) + rough)
    before = np.arange(2, count - 1)
    after = count - before
    sums, squares = np.cumsum(offset), np.cumsum(offset**2)
    rest = squares[-1] - sums[before - 1] ** 2 / before - (sums[-1] - sums[before - 1]) ** 2 / after
    # One more free level: its prior is even over the range up to the limit, which is 1.
    jumps = (
        0.5 * np.log(2.0 * np.pi / looks)
        - 0.5 * np.log(before * after * looks / count)
        - 0.5 * (looks - 2.0) * np.log(np.maximum(rest, 0.0) + rough)
    )
    highest = float(jumps.max())
    jumped = highest + float(np.log(np.exp(jumps - highest).mean()))
    return float(np.logaddexp(stays, jumped)) - float(np.log(2.0))


def _quantiles(ahead: Floats, probability: Floats) -> tuple[float, float]:
    """The interval that holds `CONFIDENCE` of the probability; each moment stands for what lies between it and the next."""
    order = np.argsort(ahead, axis=None)
    moments = ahead.ravel()[order]
    share = np.cumsum(probability.ravel()[order])
    share /= share[-1]
    low, high = np.searchsorted(share, (0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2))
    half = float(np.sqrt(AHEAD[1] / AHEAD[0]))
    return float(moments[low]) / half, float(moments[min(int(high), len(moments) - 1)]) * half
