"""What a current clamp's voltage means: amperes, true RMS, and whether a clamp is there at all.

A split-core clamp (YHDC SCT-013 and alike) gives a current into a burden resistor, or with one built in a voltage, in
proportion to the conductor's current. An ADC that cannot go below 0 V sees it on top of a bias, half the supply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from edge.sensors.base import Fault, SensorConfigError
from wire.messages import Name

Floats = NDArray[np.float64]

RAIL_SHARE = 0.9
CLIPPED_SHARE = 0.005
BIAS_TOLERANCE = 0.15
"""Share of the supply by which the bias may be off: resistors of 5 % and a leaky capacitor stay within it."""


class ClampConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clamp, whatever ADC it is on. Either `output_ma` with `burden_ohm`, or `output_v`."""

    channel: Name = "current"
    """Name of the channel; clamps of one channel are its axes x, y, z: the phases of one machine."""
    rated_a: Annotated[float, Meta(gt=0, le=10_000)] = 100.0
    """Rated current of the clamp, as printed on it."""
    output_ma: Annotated[float, Meta(gt=0, le=10_000)] | None = None
    """Its output at that current in milliamperes (100 A : 50 mA), for a clamp without a burden inside."""
    burden_ohm: Annotated[float, Meta(gt=0, le=10_000)] | None = None
    """Resistance of the burden on the board, with output_ma."""
    output_v: Annotated[float, Meta(gt=0, le=10)] | None = None
    """Its output at that current in volts (30 A : 1 V), for a clamp with a burden inside."""
    scale: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """Correction found by comparing with a meter; 0.5 where the conductor passes twice."""
    quiet_v: Annotated[float, Meta(gt=0, le=1)] | None = None
    """A clamp quieter than this (volts RMS) counts as unplugged, for one that hums a little even when the machine is off."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the ADC sees at one input, in volts: where it ends, and where the bias lies."""

    low_v: float
    high_v: float
    bias_v: float
    supply_v: float


def amperes_per_volt(clamp: ClampConfig) -> float:
    """The clamp's ratio.

    >>> round(amperes_per_volt(ClampConfig(rated_a=100.0, output_ma=50.0, burden_ohm=33.0)), 3)
    60.606

    Raises:
        SensorConfigError: none or two outputs are given, or the burden is missing.
    """
    if clamp.output_v is not None and clamp.output_ma is None and clamp.burden_ohm is None:
        return clamp.rated_a / clamp.output_v * clamp.scale
    if clamp.output_v is None and clamp.output_ma is not None and clamp.burden_ohm is not None:
        return clamp.rated_a / (clamp.output_ma * 1e-3 * clamp.burden_ohm) * clamp.scale
    raise SensorConfigError(
        f"clamp of {clamp.channel}: either output_ma with burden_ohm (100 A : 50 mA) or output_v (30 A : 1 V)"
    )


def periods_in(samples: int, rate_hz: float, mains_hz: float) -> int:
    """Whole mains periods in so many samples."""
    return int(samples / rate_hz * mains_hz + 1e-9)


def whole_periods(values: Floats, rate_hz: float, mains_hz: float) -> Floats:
    """The samples of as many whole mains periods as there are, without their mean.

    Args:
        values: even samples, (n,) or (n, axes).
    """
    count = round(periods_in(len(values), rate_hz, mains_hz) / mains_hz * rate_hz)
    kept = values[:count]
    return np.asarray(kept - kept.mean(axis=0), dtype=np.float64)


def true_rms(values: Floats, rate_hz: float, mains_hz: float) -> Floats:
    """Root of the mean square over whole mains periods, the bias taken off; scalar or (axes,).

    A mains frequency that is off by 0.2 Hz costs at most 0.2 % over ten periods.

    >>> wave = 1.65 + np.sqrt(2.0) * np.sin(2 * np.pi * 50.0 * np.arange(400) / 2000.0)
    >>> round(float(true_rms(wave, 2000.0, 50.0)), 6)
    1.0
    """
    wave = whole_periods(values, rate_hz, mains_hz)
    result: Floats = np.sqrt((wave * wave).mean(axis=0))
    return result


def fault_of(volts: Floats, limits: Limits, quiet_v: float | None, where: str) -> tuple[Fault, str] | None:
    """What is wrong with a clamp, as far as its voltage can tell.

    A plug that is pulled while the bias stays looks like a machine that is off, unless `quiet_v` tells the two apart.
    """
    at_low, at_high = float((volts <= limits.low_v).mean()), float((volts >= limits.high_v).mean())
    for share, at_v in ((at_low, limits.low_v), (at_high, limits.high_v)):
        if share >= RAIL_SHARE:
            return Fault.OPEN, f"{where}: stays at the end of its range, {at_v:.2f} V; clamp, divider or wire is off"
    if at_low + at_high > CLIPPED_SHARE:
        return Fault.CLIPPED, f"{where}: {at_low + at_high:.1%} of the samples at the end of the range"
    bias_v = float(volts.mean())
    if abs(bias_v - limits.bias_v) > BIAS_TOLERANCE * limits.supply_v:
        return (
            Fault.OPEN,
            f"{where}: rests at {bias_v:.2f} V where {limits.bias_v:.2f} V is expected; check the divider",
        )
    if quiet_v is not None and float(volts.std()) < quiet_v:
        return Fault.OPEN, f"{where}: quieter than {quiet_v:g} V; is the clamp plugged in?"
    return None
