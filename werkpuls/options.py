"""Values of options that several commands share."""

from __future__ import annotations

import argparse
import importlib.util


def names(text: str) -> tuple[str, ...]:
    """A list with commas.

    >>> names("anomaly, changepoint,")
    ('anomaly', 'changepoint')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def separator(text: str) -> str:
    """One sign, or its name: tab, blank.

    Raises:
        ArgumentTypeError: it is more or less than one sign.
    """
    sign = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " "}.get(text, text)
    if len(sign) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not one character")
    return sign


def needs_opencv() -> str:
    """What to install for pictures; nothing where it is there."""
    if importlib.util.find_spec("cv2") is None:
        return "pictures need OpenCV: pip install 'werkpuls[camera]'"
    return ""
