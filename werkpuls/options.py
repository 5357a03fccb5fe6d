"""Values of options that several commands share."""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
from collections.abc import Callable

from werkpuls.words import Words


def names(text: str) -> tuple[str, ...]:
    """A list with commas.

    >>> names("anomaly, changepoint,")
    ('anomaly', 'changepoint')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


class Values:
    """Types of options; what is wrong with a value is said in one language.

    Args:
        words: the language. Every method raises `argparse.ArgumentTypeError`.
    """

    def __init__(self, words: Words) -> None:
        self._words = words

    def positive(self, text: str) -> float:
        """A number above 0."""
        value = self._number(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(self._words.say("value.above_0", text=text))
        return value

    def count(self, text: str) -> int:
        """A whole number from 1 on."""
        if not text.isdecimal() or int(text) < 1:
            raise argparse.ArgumentTypeError(self._words.say("value.count", text=text))
        return int(text)

    def within(self, low: float, high: float, key: str) -> Callable[[str], float]:
        """The type of a number between two others, both included, with a decimal point or comma; `key` is the text that says so."""

        def bounded(text: str) -> float:
            try:
                value = float(text.replace(",", "."))
            except ValueError:
                value = math.nan
            if not low <= value <= high:
                raise argparse.ArgumentTypeError(self._words.say(key, text=text))
            return value

        return bounded

    def separator(self, text: str) -> str:
        """One sign, or its name: tab, blank."""
        sign = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " "}.get(text, text)
        if len(sign) != 1:
            raise argparse.ArgumentTypeError(self._words.say("value.sign", text=text))
        return sign

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(self._words.say("value.number", text=text)) from exc


def needs_opencv(words: Words) -> str:
    """What to install for pictures; nothing where it is there."""
    # OpenCV's own complaints about a damaged photo would stand beside the line that says the same in words.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    return words.say("value.opencv") if importlib.util.find_spec("cv2") is None else ""
