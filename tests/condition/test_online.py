"""The normal and the trees as River estimators pass what River asks of its own.

River's data set for anomaly detectors is a download; its checks run over a machine's samples here. Its check of the ROC needs
scikit-learn, and is made with our own measure below.
"""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from river import checks

from benchmarks.condition.measures import auc
from models.condition.online import OnlineNormal
from models.condition.trees import Trees


class Samples:
    """Of a pump: a tenth of the later ones with its valve half closed, labelled 1."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[tuple[dict[str, float], int]]:
        rng = np.random.default_rng(0)
        for k in range(self._count):
            closed = k > 300 and k % 100 >= 90
            x = {"flow": 32.0 - 4.0 * closed, "current": 1.0, "pressure": 0.2 + 0.1 * closed}
            yield {name: value + 0.05 * float(rng.standard_normal()) for name, value in x.items()}, int(closed)

    def take(self, count: int) -> "Samples":
        return Samples(count)


def ours(_model: object, scale: int = 1) -> Iterator[Samples]:
    yield Samples(600 * scale)


with patch.object(checks, "_yield_datasets", ours):
    SKIPPED = {*OnlineNormal()._unit_test_skips(), "check_roc_auc"}
    CHECKS: list[Callable[..., Any]] = [
        check for check in checks.yield_checks(OnlineNormal()) if check.__name__ not in SKIPPED
    ]


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_passes_rivers_own_checks(check: Callable[..., Any]) -> None:
    check(OnlineNormal())


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_the_trees_by_themselves_do_as_well(check: Callable[..., Any]) -> None:
    check(Trees())


def test_ranks_what_is_wrong_above_what_is_normal() -> None:
    detector, scores, labels = OnlineNormal(), [], []
    for x, label in Samples(1000):
        scores.append(detector.score_one(x))
        labels.append(bool(label))
        detector.learn_one(x)
    assert auc(np.array(scores[100:]), np.array(labels[100:])) > 0.95
    assert max(scores[100:300]) < 1.0


def test_river_asks_for_much() -> None:
    assert len(CHECKS) > 20
