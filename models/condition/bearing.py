"""Bearing kinematics: at which frequencies a damaged rolling bearing knocks."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bearing:
    """Geometry of a rolling bearing with a still outer and a turning inner ring.

    Args:
        balls: number of rolling elements, 3 or more.
        ball_mm: diameter of one rolling element.
        pitch_mm: diameter of the circle through their centres, larger than `ball_mm`.
        contact_deg: contact angle, 0 for a deep-groove bearing under radial load.

    Raises:
        ValueError: a geometry that cannot be built.
    """

    balls: int
    ball_mm: float
    pitch_mm: float
    contact_deg: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what cannot be built."""
        if self.balls < 3:
            raise ValueError(f"a bearing has at least 3 balls, not {self.balls}")
        if not 0.0 < self.ball_mm < self.pitch_mm:
            raise ValueError(f"ball diameter {self.ball_mm} mm must lie between 0 and the pitch {self.pitch_mm} mm")
        if not 0.0 <= self.contact_deg < 90.0:
            raise ValueError(f"contact angle {self.contact_deg} must lie between 0 and 90 degrees")

    def lines(self, running_speed_hz: float) -> dict[str, float]:
        """Defect frequencies in Hz by name: bpfo, bpfi, bsf, ftf.

        With r = d/D·cos φ: BPFO = n/2·fr·(1−r), BPFI = n/2·fr·(1+r), BSF = fr·D/(2d)·(1−r²), FTF = fr/2·(1−r)
        (Randall and Antoni, Rolling element bearing diagnostics: a tutorial, MSSP 25, 2011, section 2).

        >>> {name: round(hz, 1) for name, hz in Bearing(9, 7.94, 39.04).lines(1475 / 60).items()}
        {'bpfo': 88.1, 'bpfi': 133.1, 'bsf': 57.9, 'ftf': 9.8}
        """
        ratio = self.ball_mm / self.pitch_mm * math.cos(math.radians(self.contact_deg))
        return {
            "bpfo": self.balls / 2 * running_speed_hz * (1 - ratio),
            "bpfi": self.balls / 2 * running_speed_hz * (1 + ratio),
            "bsf": running_speed_hz * self.pitch_mm / (2 * self.ball_mm) * (1 - ratio**2),
            "ftf": running_speed_hz / 2 * (1 - ratio),
        }
