"""Platinum resistance thermometers: resistance and temperature by Callendar and Van Dusen, IEC 60751:2022, clause 4.2.

R(t) = R0·(1 + A·t + B·t²) from 0 to 850 °C, and R0·(1 + A·t + B·t² + C·(t - 100)·t³) from -200 to 0 °C.
"""

from __future__ import annotations

import math

A = 3.9083e-3
B = -5.775e-7
C = -4.183e-12
LOW_C, HIGH_C = -200.0, 850.0
NEWTON_STEPS = 20
CLOSE_C = 1e-9


def resistance_ohm(nominal_ohm: float, celsius: float) -> float:
    """Resistance of an element with this resistance at 0 °C; a little beyond -200 to 850 °C the formulas are continued.

    >>> round(resistance_ohm(100.0, 100.0), 2), round(resistance_ohm(100.0, -100.0), 2)
    (138.51, 60.26)
    """
    below = C * (celsius - 100.0) * celsius**3 if celsius < 0.0 else 0.0
    return nominal_ohm * (1.0 + A * celsius + B * celsius**2 + below)


def temperature_c(nominal_ohm: float, ohm: float) -> float:
    """The temperature at which it has this resistance: exactly above 0 °C, by Newton's method below.

    Raises:
        ValueError: the element has no such resistance near its range.

    >>> round(temperature_c(100.0, 138.506), 2), round(temperature_c(1000.0, 602.56), 2)
    (100.0, -100.0)
    """
    ratio = ohm / nominal_ohm
    if not resistance_ohm(1.0, LOW_C - 20.0) <= ratio <= resistance_ohm(1.0, HIGH_C + 50.0):
        raise ValueError(f"{ohm:.2f} ohm is outside of {LOW_C:g} to {HIGH_C:g} °C for {nominal_ohm:g} ohm at 0 °C")
    above = (-A + math.sqrt(A * A - 4.0 * B * (1.0 - ratio))) / (2.0 * B)
    if ratio >= 1.0:
        return above
    celsius = above
    for _ in range(NEWTON_STEPS):
        slope = A + 2.0 * B * celsius + C * (4.0 * celsius**3 - 300.0 * celsius**2)
        step = (resistance_ohm(1.0, celsius) - ratio) / slope
        celsius -= step
        if abs(step) < CLOSE_C:
            break
    return celsius
