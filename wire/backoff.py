"""How long to wait before trying again: exponential, capped, jittered. No clock, no thread."""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from `least_s` to `most_s`, each drawn evenly from its upper half.

    The jitter keeps a hall full of nodes from storming a broker that has just come back; the lower half stays empty so
    that a first retry never comes at once ("equal jitter", AWS Architecture Blog 2015, Exponential Backoff And Jitter).

    Args:
        least_s: the first delay's upper end, > 0.
        most_s: the upper end that is never passed, >= least_s.
        draw: the randomness, replaceable in tests.

    Raises:
        ValueError: bounds that are not positive or not in order.
    """

    def __init__(self, least_s: float, most_s: float, draw: random.Random | None = None) -> None:
        if not 0 < least_s <= most_s:
            raise ValueError(f"backoff from {least_s} to {most_s} s")
        self._least_s = least_s
        self._most_s = most_s
        self._draw = draw or random.Random()  # noqa: S311  # spreads load, guards nothing
        self._ceiling_s = least_s

    def next(self) -> float:
        """The delay before the next try, in seconds."""
        ceiling = self._ceiling_s
        self._ceiling_s = min(ceiling * 2, self._most_s)
        return self._draw.uniform(ceiling / 2, ceiling)

    def reset(self) -> None:
        """It worked: the next delay is a short one again."""
        self._ceiling_s = self._least_s
