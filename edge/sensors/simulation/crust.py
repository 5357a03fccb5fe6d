"""The crust of what is baked in a simulated oven: how hot it gets, how thick, how brown.

Bread bakes from outside. Water boils away at a front that moves inwards; behind it lies a dry crust whose surface tends to the oven's
temperature (Zanoni, Peri and Pierucci, A study of the bread-baking process I, J. Food Eng. 19, 1993):

    h (T_air − T_s) + σ ε (T_wall⁴ − T_s⁴) + σ φ (T_top⁴ − T_s⁴) = λ/δ (T_s − T_dough)
    w L dδ/dt = β λ/δ (T_s − T_dough),   β as for the dough's steam: 0 at 70 °C, 1 at 98 °C

The surface browns by a reaction of first order (Zanoni, Peri and Bruno, Modelling of browning kinetics of bread crust during baking,
LWT 28, 1995: 42,000 1/s, 64,151 J/mol). Browning is the share of the way from dough to char, 1 − exp(−∫k dt).

The crust only looks: its heat is a part of the dough's, which the oven has in its books.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.sensors.simulation.plant import KELVIN

STEFAN_BOLTZMANN = 5.670374e-8
GAS_CONSTANT = 8.314463
RATE_1_S = 42_000.0
ACTIVATION_J_MOL = 64_151.0
FIRST_M = 0.0005
"""A skin that is there from the beginning."""


@dataclass(frozen=True, slots=True)
class CrustData:
    """What lies under the elements. W/m²K, W/mK, J/m³."""

    air_w_m2k: float = 8.0
    """Free convection, VDI Heat Atlas F."""
    wall: float = 0.75
    """Exchange factor of crust and lining, as of stone and lining."""
    element: float = 0.064
    """Exchange factor of crust and top element: 0.6 of its radiation, emissivity 0.85, 0.12 m² of tube over 0.96 m²."""
    crust_w_mk: float = 0.18
    """Set so that the oven's usual load comes out half-way, well baked; dry crumb has 0.07, moist crumb 0.3 and more."""
    boil_j_m3: float = 250.0 * 2.257e6
    """To dry a cubic metre: 250 kg of water, at the latent heat of 100 °C."""


class Crust:
    """One load's crust, from the moment the dough goes in. Temperatures in °C.

    Args:
        data: of the goods.
    """

    def __init__(self, data: CrustData | None = None) -> None:
        self.data = data or CrustData()
        self.thickness_m = FIRST_M
        self.surface_c = 0.0
        """Its hot side."""
        self._reacted = 0.0

    @property
    def browning(self) -> float:
        """0 dough to 1 char."""
        return 1.0 - math.exp(-self._reacted)

    def bake(self, seconds: float, dough_c: float, air_c: float, wall_c: float, top_c: float) -> None:
        """Goes on for a step that is short against the oven's changes.

        Args:
            seconds: at most some tens.
            dough_c: of the crumb.
            air_c: around it.
            wall_c: of the lining.
            top_c: of the top element.
        """
        data = self.data
        front, conductance = dough_c + KELVIN, data.crust_w_mk / self.thickness_m
        air, wall, top = air_c + KELVIN, wall_c + KELVIN, top_c + KELVIN
        come = data.air_w_m2k * air + STEFAN_BOLTZMANN * (data.wall * wall**4 + data.element * top**4)
        surface = max(self.surface_c + KELVIN, front)
        for _ in range(3):
            shine = STEFAN_BOLTZMANN * (data.wall + data.element) * surface**3
            excess = come - (data.air_w_m2k + shine) * surface - conductance * (surface - front)
            surface += excess / (data.air_w_m2k + 4.0 * shine + conductance)
        boiling = min(max((dough_c - 70.0) / 28.0, 0.0), 1.0)
        self.thickness_m += seconds * boiling * max(conductance * (surface - front), 0.0) / data.boil_j_m3
        self._reacted += seconds * RATE_1_S * math.exp(-ACTIVATION_J_MOL / (GAS_CONSTANT * surface))
        self.surface_c = surface - KELVIN
