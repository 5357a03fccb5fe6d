"""How well a classifier grades labelled crops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.quality.card import GOOD, Card
from models.quality.classifier import Classifier, Grades, decide
from models.training.dataset import Dataset


def figures(data: Dataset, grades: Grades, card: Card) -> dict[str, float]:
    """Shares from 0 to 1, rounded to four digits.

    `accuracy` and `recall_LABEL` count the most probable label. `balanced_good_bad` is the mean of the recalls of good and
    of not good among the pieces that got a verdict, `unsure` the share of those that got none.
    """
    truth, said = data.labels, grades.probabilities.argmax(axis=1)
    measured = {"accuracy": float((truth == said).mean())}
    for number, label in enumerate(card.labels):
        here = truth == number
        if here.any():
            measured[f"recall_{label}"] = float((said[here] == number).mean())
    verdicts = np.array([decide(row, card).verdict for row in grades.probabilities])
    good = truth == card.labels.index(GOOD)
    measured |= good_against_bad(good, verdicts)
    return {name: round(value, 4) for name, value in measured.items()}


def good_against_bad(good: NDArray[np.bool_], verdicts: NDArray[np.str_]) -> dict[str, float]:
    """`balanced_good_bad` among what got a verdict, and the share of `unsure`."""
    sure = verdicts != "unsure"
    hits = [
        float((verdicts[sure & here] == word).mean())
        for here, word in ((good, "good"), (~good, "reject"))
        if (sure & here).any()
    ]
    return {"balanced_good_bad": float(np.mean(hits)) if hits else 0.0, "unsure": float((~sure).mean())}


def confusion(data: Dataset, grades: Grades) -> NDArray[np.int64]:
    """(labels, labels) counts: what it is by row, what was said by column."""
    count = grades.probabilities.shape[1]
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (data.labels, grades.probabilities.argmax(axis=1)), 1)
    return table


def graded(classifier: Classifier, data: Dataset) -> Grades:
    """What the classifier says of all crops."""
    return classifier.classify(data.crops)
