"""R134a and a reciprocating compressor's cycle, simplified to what a clamp and two thermometers can see.

Saturation pressure: ln p = A - B/T through the table values at -10 °C (2.007 bar) and 40 °C (10.17 bar), within 1 %
from -15 to 60 °C. Specific heat of evaporation, density and isentropic exponent: linear or constant values from the
same tables (ASHRAE Handbook Fundamentals, ch. 30). Volumetric and isentropic efficiency over the pressure ratio:
textbook forms (Cube, Lehrbuch der Kältetechnik).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.sensors.simulation.plant import KELVIN

GAS_CONSTANT_J_KGK = 81.49
COMPRESSIBILITY = 0.94
EXPONENT = 1.12
CLEARANCE = 0.05


def pressure_bar(temperature_c: float) -> float:
    """Saturation pressure, absolute."""
    return math.exp(10.860 - 2674.4 / (temperature_c + KELVIN))


@dataclass(frozen=True, slots=True)
class Cycle:
    """One operating point."""

    mass_flow_kg_s: float
    cooling_w: float
    work_w: float
    """At the shaft, without friction."""
    discharge_c: float
    ratio: float
    """Discharge over suction pressure."""


def cycle(evaporating_c: float, condensing_c: float, superheat_k: float, swept_m3_s: float, leak: float = 0.0) -> Cycle:
    """What the compressor does between those temperatures.

    Args:
        evaporating_c: -40 to 20.
        condensing_c: above `evaporating_c`.
        superheat_k: of the gas at the compressor.
        swept_m3_s: swept volume per second, 0 when it stands still.
        leak: share of the pressed gas that flows back through a valve, below 1; it is pressed again, and heats what stays.
    """
    low = pressure_bar(evaporating_c)
    ratio = max(pressure_bar(condensing_c) / low, 1.0)
    suction_k = evaporating_c + superheat_k + KELVIN
    density = low * 1e5 / (COMPRESSIBILITY * GAS_CONSTANT_J_KGK * suction_k)
    volumetric = max(0.0, 0.92 - CLEARANCE * (ratio ** (1.0 / EXPONENT) - 1.0))
    flow = volumetric * swept_m3_s * density
    heating = ratio ** ((EXPONENT - 1.0) / EXPONENT) - 1.0
    isentropic = 0.70 - 0.012 * abs(ratio - 4.0)
    specific = EXPONENT / (EXPONENT - 1.0) * COMPRESSIBILITY * GAS_CONSTANT_J_KGK * suction_k * heating / isentropic
    evaporation = 1e3 * (
        152.0 - 1.45 * (condensing_c - 40.0) + 0.6 * (evaporating_c + 10.0) + 0.9 * (superheat_k - 10.0)
    )
    return Cycle(
        mass_flow_kg_s=flow * (1.0 - leak),
        cooling_w=flow * (1.0 - leak) * evaporation,
        work_w=flow * specific,
        discharge_c=suction_k * (1.0 + heating / isentropic / (1.0 - leak)) - KELVIN,
        ratio=ratio,
    )
