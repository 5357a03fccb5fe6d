"""How long to wait before a delivery's next attempt. Pure but for the jitter's randomness, which is an argument."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential backoff with jitter: attempt *n* waits `first_s * 2**n`, at most `most_s`, of which a random half is taken off.

    `poll_s` is how often the queue is looked at without having been woken.
    """

    first_s: float = 2.0
    most_s: float = 900.0
    poll_s: float = 1.0
    draw: random.Random = field(default_factory=random.Random)

    def delay_s(self, attempts: int) -> float:
        """Seconds until the next attempt, after `attempts` (0 and up) that failed before the last one."""
        full = min(self.most_s, self.first_s * 2.0 ** min(attempts, 40))
        return full * self.draw.uniform(0.5, 1.0)
