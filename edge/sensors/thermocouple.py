"""What a thermocouple gives at which temperature: the reference functions of ITS-90.

Coefficients, ranges and the exponential term of type K are those of NIST Monograph 175 (NIST ITS-90 Thermocouple Database,
Standard Reference Database 60), as in IEC 60584-1. Voltages are in millivolts against a reference junction at 0 °C.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

ThermocoupleType: TypeAlias = Literal["K", "J", "N", "T", "E", "R", "S"]
BISECTIONS = 32
"""Halve 2000 K to less than a millionth."""
ROUNDING_MV = 1e-9


class Piece(NamedTuple):
    """The polynomial up to a temperature; coefficients from the constant up, in mV/K^i."""

    up_to_c: float
    coefficients: tuple[float, ...]


class Reference(NamedTuple):
    """One type's reference function."""

    low_c: float
    pieces: tuple[Piece, ...]

    @property
    def high_c(self) -> float:
        """The end of the last piece."""
        return self.pieces[-1].up_to_c


_K_BUMP = (0.118597600000e00, -0.118343200000e-03, 0.126968600000e03)
"""Type K above 0 °C: a0·exp(a1·(t - a2)²) is added."""

# fmt: off
REFERENCES: Mapping[str, Reference] = {
    "K": Reference(-270.0, (
        Piece(0.0, (
            0.0, 0.394501280250e-1, 0.236223735980e-4, -0.328589067840e-6, -0.499048287770e-8, -0.675090591730e-10,
            -0.574103274280e-12, -0.310888728940e-14, -0.104516093650e-16, -0.198892668780e-19, -0.163226974860e-22,
        )),
        Piece(1372.0, (
            -0.176004136860e-1, 0.389212049750e-1, 0.185587700320e-4, -0.994575928740e-7, 0.318409457190e-9,
            -0.560728448890e-12, 0.560750590590e-15, -0.320207200030e-18, 0.971511471520e-22, -0.121047212750e-25,
        )),
    )),
    "J": Reference(-210.0, (
        Piece(760.0, (
            0.0, 0.503811878150e-1, 0.304758369300e-4, -0.856810657200e-7, 0.132281952950e-9, -0.170529583370e-12,
            0.209480906970e-15, -0.125383953360e-18, 0.156317256970e-22,
        )),
        Piece(1200.0, (
            0.296456256810e3, -0.149761277860e1, 0.317871039240e-2, -0.318476867010e-5, 0.157208190040e-8,
            -0.306913690560e-12,
        )),
    )),
    "N": Reference(-270.0, (
        Piece(0.0, (
            0.0, 0.261591059620e-1, 0.109574842280e-4, -0.938411115540e-7, -0.464120397590e-10, -0.263033577160e-11,
            -0.226534380030e-13, -0.760893007910e-16, -0.934196678350e-19,
        )),
        Piece(1300.0, (
            0.0, 0.259293946010e-1, 0.157101418800e-4, 0.438256272370e-7, -0.252611697940e-9, 0.643118193390e-12,
            -0.100634715190e-14, 0.997453389920e-18, -0.608632456070e-21, 0.208492293390e-24, -0.306821961510e-28,
        )),
    )),
    "T": Reference(-270.0, (
        Piece(0.0, (
            0.0, 0.387481063640e-1, 0.441944343470e-4, 0.118443231050e-6, 0.200329735540e-7, 0.901380195590e-9,
            0.226511565930e-10, 0.360711542050e-12, 0.384939398830e-14, 0.282135219250e-16, 0.142515947790e-18,
            0.487686622860e-21, 0.107955392700e-23, 0.139450270620e-26, 0.797951539270e-30,
        )),
        Piece(400.0, (
            0.0, 0.387481063640e-1, 0.332922278800e-4, 0.206182434040e-6, -0.218822568460e-8, 0.109968809280e-10,
            -0.308157587720e-13, 0.454791352900e-16, -0.275129016730e-19,
        )),
    )),
    "E": Reference(-270.0, (
        Piece(0.0, (
            0.0, 0.586655087080e-1, 0.454109771240e-4, -0.779980486860e-6, -0.258001608430e-7, -0.594525830570e-9,
            -0.932140586670e-11, -0.102876055340e-12, -0.803701236210e-15, -0.439794973910e-17, -0.164147763550e-19,
            -0.396736195160e-22, -0.558273287210e-25, -0.346578420130e-28,
        )),
        Piece(1000.0, (
            0.0, 0.586655087100e-1, 0.450322755820e-4, 0.289084072120e-7, -0.330568966520e-9, 0.650244032700e-12,
            -0.191974955040e-15, -0.125366004970e-17, 0.214892175690e-20, -0.143880417820e-23, 0.359608994810e-27,
        )),
    )),
    "R": Reference(-50.0, (
        Piece(1064.18, (
            0.0, 0.528961729765e-2, 0.139166589782e-4, -0.238855693017e-7, 0.356916001063e-10, -0.462347666298e-13,
            0.500777441034e-16, -0.373105886191e-19, 0.157716482367e-22, -0.281038625251e-26,
        )),
        Piece(1664.5, (
            0.295157925316e1, -0.252061251332e-2, 0.159564501865e-4, -0.764085947576e-8, 0.205305291024e-11,
            -0.293359668173e-15,
        )),
        Piece(1768.1, (
            0.152232118209e3, -0.268819888545e0, 0.171280280471e-3, -0.345895706453e-7, -0.934633971046e-14,
        )),
    )),
    "S": Reference(-50.0, (
        Piece(1064.18, (
            0.0, 0.540313308631e-2, 0.125934289740e-4, -0.232477968689e-7, 0.322028823036e-10, -0.331465196389e-13,
            0.255744251786e-16, -0.125068871393e-19, 0.271443176145e-23,
        )),
        Piece(1664.5, (
            0.132900444085e1, 0.334509311344e-2, 0.654805192818e-5, -0.164856259209e-8, 0.129989605174e-13,
        )),
        Piece(1768.1, (
            0.146628232636e3, -0.258430516752e0, 0.163693574641e-3, -0.330439046987e-7, -0.943223690612e-14,
        )),
    )),
}
# fmt: on


def voltage_mv(kind: ThermocoupleType, celsius: float) -> float:
    """What a couple with its measuring junction at this temperature gives against 0 °C, in mV.

    Outside of the reference function's range its outermost piece is continued, which is good for a few kelvin.

    >>> round(voltage_mv("K", 1000.0), 3), round(voltage_mv("J", -100.0), 3)
    (41.276, -4.633)
    """
    reference = REFERENCES[kind]
    piece = next((piece for piece in reference.pieces if celsius <= piece.up_to_c), reference.pieces[-1])
    total = 0.0
    for coefficient in reversed(piece.coefficients):
        total = total * celsius + coefficient
    if kind == "K" and celsius > 0.0:
        height, width, centre = _K_BUMP
        total += height * math.exp(width * (celsius - centre) ** 2)
    return total


def temperature_c(kind: ThermocoupleType, millivolts: float) -> float:
    """The temperature at which a couple gives this voltage against 0 °C, in °C, to a millionth of a kelvin.

    Raises:
        ValueError: the type gives no such voltage anywhere in its range.

    >>> round(temperature_c("K", 41.276), 2)
    1000.01
    """
    reference = REFERENCES[kind]
    low, high = reference.low_c, reference.high_c
    if not voltage_mv(kind, low) - ROUNDING_MV <= millivolts <= voltage_mv(kind, high) + ROUNDING_MV:
        raise ValueError(f"{millivolts:.3f} mV is outside of type {kind}: {low:g} to {high:g} °C")
    # All of these functions rise over their whole range.
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if voltage_mv(kind, middle) < millivolts:
            low = middle
        else:
            high = middle
    return (low + high) / 2
