"""How small a change can mean anything: what sensors, mains and days do to a healthy machine."""

from __future__ import annotations

from typing import NamedTuple

from models.condition.contract import FeatureInfo
from models.condition.features.temperature import SLOPE_WINDOW_S

ELECTRICAL_TOLERANCE = 0.015
VIBRATION_TOLERANCE = 0.03
TEMPERATURE_TOLERANCE_K = 0.3
LEVEL_TOLERANCE = 0.005
PERCENT_TOLERANCE = 0.25
SLOPE_TOLERANCE_K_MIN = 0.05
SLOPE_LOOK = 16.0
"""A slope is taken over a window; samples whose windows overlap are not new looks at it: this many at least, or as many as a window
holds."""
CYCLE_LOOK = 10.0
"""What is told of the last few cycles of a thermostat stands for many samples."""
_CYCLE = (".at_off", ".set_point", ".duty")


class Tolerance(NamedTuple):
    """The least deviation of a feature, as a share of its mean and absolute, and how many samples make one look at it."""

    share: float
    absolute: float
    look: float = 1.0


def tolerance(info: FeatureInfo, name: str, span: float, pace_s: float = SLOPE_WINDOW_S) -> Tolerance:
    """The least deviation that a feature is granted: as a share of its mean, and absolute.

    A warm-up of minutes does not see what a day brings. Mains voltage wanders by some percent (EN 50160 allows 10), and
    current, power and speed with it; vibration on the same healthy machine repeats within several percent at best
    (ISO 13373-1, 4.4: repeatability); a thermocouple or PT100 of class B within some tenths of a kelvin (IEC 60751). A
    sensor that sees much in one regime is no better than a share of that in another.

    Args:
        info: whose it is. Vibration is judged by its logarithm, so its share of the mean is an absolute number there.
        name: of the feature.
        span: the largest magnitude it was seen to have in any regime.
        pace_s: from one sample to the next.
    """
    if info.quantity == "vibration":
        return Tolerance(VIBRATION_TOLERANCE, 0.001 * span)
    look = CYCLE_LOOK if name.endswith(_CYCLE) else 1.0
    if info.unit == "%":
        return Tolerance(0.0, PERCENT_TOLERANCE, look)
    if name.endswith(".slope"):
        return Tolerance(0.0, max(0.05 * span, SLOPE_TOLERANCE_K_MIN), max(SLOPE_LOOK, SLOPE_WINDOW_S / pace_s))
    if info.quantity == "temperature":
        return Tolerance(0.0, TEMPERATURE_TOLERANCE_K, look)
    share = ELECTRICAL_TOLERANCE if info.quantity in ("current", "power", "speed") else LEVEL_TOLERANCE
    return Tolerance(share, share / 3 * span)
