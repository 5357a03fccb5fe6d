"""What separates good from bad items when both were taught: a kernel ridge classifier. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.quality.example import Example
from models.quality.novelty import Scales

Floats = NDArray[np.float64]

_WEIGHTS = (0.25, 1.0, 0.25, 0.5)
"""Of size, shape, colour and embedding; of the last there are many numbers, and each is noisy."""
_COLOURED = 2, 4
"""Of these views, those from the first to before the second are colours or contain them."""
_RIDGE = 0.3
"""In shares of the mean of the kernel's diagonal."""
_SLOPES = np.linspace(1.0, 8.0, 29)
"""Candidates for how fast certainty rises with the margin."""
_TRUST = 4.0
"""So many imagined items at even odds stand beside the left-out ones, so that twenty items cannot claim certainty."""


class Separator:
    """Regularised least squares on ±1 (Rifkin, Yeo and Poggio, Regularized least-squares classification, 2003).

    The origin is half-way between the two means, so that teaching more of one kind than of the other does not favour it. How
    sure it is, is learned from items left out of its own training (Platt, Probabilistic outputs for support vector machines,
    1999; left out in closed form).

    Args:
        good: taught good items, at least 1.
        bad: taught bad items, at least 1.

    Attributes:
        doubted: how many of the good and of the bad ones it takes for the other kind when it is trained without them.
    """

    def __init__(self, good: Sequence[Example], bad: Sequence[Example]) -> None:
        self._scales = Scales.of([*good, *bad])
        taught = self._coordinates([*good, *bad], centred=False)
        self._centre = (taught[: len(good)].mean(axis=0) + taught[len(good) :].mean(axis=0)) / 2
        taught = taught - self._centre
        widths = np.cumsum([0, *(view.shape[1] for view in self._scales.scaled(good[:1]))])
        self._coloured = slice(int(widths[_COLOURED[0]]), int(widths[_COLOURED[1]]))
        wanted = np.concatenate((np.ones(len(good)), -np.ones(len(bad))))
        kernel = taught @ taught.T
        inverse = np.linalg.inv(kernel + _RIDGE * np.trace(kernel) / len(wanted) * np.eye(len(wanted)))
        dual = inverse @ wanted
        self._weights = taught.T @ dual
        # What the classifier says of an item when it is trained without it.
        left_out = (wanted - dual / np.diag(inverse)) * wanted
        self._slope = _slope(left_out)
        self.doubted = (int((left_out[: len(good)] < 0).sum()), int((left_out[len(good) :] < 0).sum()))

    def good(self, example: Example, *, colours: bool = True) -> float:
        """Probability that it is good, 0 to 1.

        Args:
            example: the item.
            colours: whether its colours can be compared with the taught ones; else they speak for neither side.
        """
        place = self._coordinates([example])[0]
        if not colours:
            place[self._coloured] = 0.0
        margin = float(place @ self._weights)
        return float(1 / (1 + np.exp(-np.clip(self._slope * margin, -30, 30))))

    def _coordinates(self, examples: Sequence[Example], *, centred: bool = True) -> Floats:
        parts = [
            view * np.sqrt(weight / view.shape[1])
            for view, weight in zip(self._scales.scaled(examples), _WEIGHTS, strict=True)
        ]
        joined = np.concatenate(parts, axis=1)
        return joined - self._centre if centred else joined


def _slope(margins: Floats) -> float:
    """The likeliest slope, given margins that are positive where the item was called what it is."""
    loss = [np.log1p(np.exp(-slope * margins)).sum() + _TRUST * _even(slope, margins) for slope in _SLOPES]
    return float(_SLOPES[int(np.argmin(loss))])


def _even(slope: float, margins: Floats) -> float:
    """What items at even odds, with usual margins, cost at this slope."""
    usual = float(np.abs(margins).mean())
    return float((np.log1p(np.exp(-slope * usual)) + np.log1p(np.exp(slope * usual))) / 2) / len(margins)
