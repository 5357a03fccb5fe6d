"""An electric deck oven: elements, stone, air and walls as a network of lumped heat capacities.

                 L1: top element ──radiation──▶ stone's upper side, wall
                                                  │ conduction
     L2: bottom element ──radiation──▶ stone's lower side ◀── L3: half top, half bottom
                                                  │
     dough ◀──contact── stone's upper side ──▶ air ◀──▶ wall ──insulation──▶ bakery
       └──▶ steam                              └──door, seal──▶ bakery

One thermostat with hysteresis switches all three elements. Dimensions are those of one deck of 0.8 m by 1.2 m; equations
and sources are in docs/simulation.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Channel
from edge.sensors.simulation.crust import STEFAN_BOLTZMANN, Crust
from edge.sensors.simulation.gauges import contact, current_clamp, power_meter, thermocouple
from edge.sensors.simulation.plant import KELVIN, Plant, Severities, steps
from edge.sensors.simulation.schedule import Batch, Batches

EVAPORATION_J_KG = 2.257e6
"""Latent heat of water at 100 °C."""


@dataclass(frozen=True, slots=True)
class OvenData:
    """Dimensions of one deck. J/K, W/K, W/K⁴, °C, s."""

    element_ohm: float = 26.45
    """2 kW at 230 V."""
    element_j_k: float = 500.0
    element_w_k4: float = 0.85 * STEFAN_BOLTZMANN * 0.08
    """Emissivity, Stefan-Boltzmann constant, 0.08 m² of tube."""
    stone_j_k: float = 18_600.0
    """Each half of 42 kg of chamotte (0.88 kJ/kgK)."""
    stone_w_k: float = 62.0
    """Between the halves: 1.3 W/mK over 20 mm on 0.96 m²."""
    wall_j_k: float = 11_000.0
    """22 kg of steel lining."""
    air_j_k: float = 1_000.0
    """Air, steam and thin sheet."""
    stone_air_w_k: float = 8.0
    wall_air_w_k: float = 25.0
    stone_wall_w_k4: float = 0.75 * STEFAN_BOLTZMANN * 0.96
    insulation_w_k: float = 4.0
    door_air_w_k: float = 90.0
    """An open door, to the air."""
    door_wall_w_k4: float = 0.6 * STEFAN_BOLTZMANN * 0.12
    """An open door, radiation of the wall through 0.12 m²."""
    seal_w_k: float = 6.0
    """A torn seal."""
    setpoint_c: float = 230.0
    hysteresis_k: float = 4.0
    load_kg: float = 9.0
    dough_j_kgk: float = 2_800.0
    dough_stone_w_k: float = 10.0
    dough_wall_w_k: float = 7.0
    dough_c: float = 28.0
    door_s: float = 45.0
    """How long the door stays open for loading and for unloading."""
    controls_w: float = 20.0


@dataclass(slots=True)
class Ledger:
    """Where the energy went since the start, J. What came in equals what is stored, lost and baked."""

    electric: float = 0.0
    dough_in: float = 0.0
    insulation: float = 0.0
    door: float = 0.0
    steam: float = 0.0
    goods_out: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """What came out of the oven."""

    number: int
    """Counted from 1."""
    browning: float
    """Of its crust, 0 dough to 1 char."""


class Oven:
    """One deck. States in °C; `advance` is explicit Euler at 1 s, well under the elements' 30 s.

    Args:
        plant: where it stands.
        data: its dimensions.
        crusts: whether the goods' crusts are followed; `load` then says how brown the last ones came out.
    """

    faults = ("heating_element_open", "thermostat_drift", "door_seal", "thermocouple_drift")
    waves: tuple[Channel, ...] = ()

    def __init__(self, plant: Plant, data: OvenData | None = None, *, crusts: bool = False) -> None:
        self.load: Load | None = None
        self._crusts = crusts
        self._crust: Crust | None = None
        self.plant = plant
        self.data = data or OvenData()
        self.time_s = plant.start_s
        at = plant.ambient(self.time_s)
        self.top = self.bottom = self.lower = self.upper = self.air = self.wall = at
        self.dough: float | None = None
        self.dough_kg = 0.0
        self.heating = False
        self.ledger = Ledger()
        lead = 3_000.0 if plant.shift.period_s > 40_000 else 600.0
        self._batches = Batches(plant.streams, plant.shift, slot_s=2_700.0, length_s=2_100.0, lead_s=lead)
        period = plant.period_s
        self.gauges = (
            thermocouple("deck_temperature", period),
            thermocouple("air_temperature", period),
            *(current_clamp(f"current_l{phase}", period) for phase in (1, 2, 3)),
            power_meter("power", period, 15_000.0),
            contact("door", period),
        )

    def stored_j(self) -> float:
        """Heat held above 0 °C."""
        data = self.data
        dough = self.dough_kg * data.dough_j_kgk * self.dough if self.dough is not None else 0.0
        return (
            data.element_j_k * (self.top + self.bottom) * 1.5
            + data.stone_j_k * (self.lower + self.upper)
            + data.wall_j_k * self.wall
            + data.air_j_k * self.air
            + dough
        )

    def window(self, seconds: float, severities: Severities) -> Mapping[str, float]:
        """Runs on; see `Machine.window`."""
        self.lapse(seconds, severities)
        currents = self._currents(severities)
        voltage = self.plant.mains(self.time_s)
        drift = 25.0 * severities.get("thermocouple_drift", 0.0)
        working = self.plant.shift.working(self.time_s)
        return {
            "deck_temperature": self.upper - drift,
            "air_temperature": self.air,
            **{f"current_l{phase}": current for phase, current in enumerate(currents, 1)},
            "power": voltage * sum(currents) + (self.data.controls_w if working else 2.0),
            "door": float(self._door_open(self._batches.at(self.time_s))),
        }

    def waveforms(self, severities: Severities, rng: np.random.Generator) -> Mapping[str, NDArray[np.float64]]:
        """An oven has none."""
        del severities, rng
        return {}

    def lapse(self, seconds: float, severities: Severities) -> None:
        """Runs on; see `Machine.lapse`."""
        count, step = steps(seconds)
        for _ in range(count):
            self._advance(step, severities)

    def _currents(self, severities: Severities) -> tuple[float, float, float]:
        if not self.heating:
            return 0.0, 0.0, 0.0
        current = self.plant.mains(self.time_s) / self.data.element_ohm
        # An element burns through or it does not; which one is a matter of the phase it hangs on.
        return current, 0.0 if severities.get("heating_element_open") else current, current

    def _door_open(self, batch: Batch | None) -> bool:
        if batch is None:
            return False
        return self.time_s < batch.begin_s + self.data.door_s or self.time_s >= batch.end_s - self.data.door_s

    def _advance(self, h: float, severities: Severities) -> None:
        data, ledger = self.data, self.ledger
        self.time_s += h
        batch = self._batches.at(self.time_s)
        self._move_goods(batch)
        self._control(severities)
        ambient = self.plant.ambient(self.time_s)
        voltage = self.plant.mains(self.time_s)
        first, second, third = (voltage * current for current in self._currents(severities))

        top_up, top_wall = self._radiate(self.top, self.upper, 0.6), self._radiate(self.top, self.wall, 0.4)
        bottom_up, bottom_wall = (
            self._radiate(self.bottom, self.lower, 0.85),
            self._radiate(self.bottom, self.wall, 0.15),
        )
        through = data.stone_w_k * (self.lower - self.upper)
        stone_air = data.stone_air_w_k * (self.upper - self.air)
        wall_air = data.wall_air_w_k * (self.wall - self.air)
        stone_wall = data.stone_wall_w_k4 * _fourth(self.upper, self.wall)
        insulation = data.insulation_w_k * (self.wall - ambient)
        opening = data.seal_w_k * severities.get("door_seal", 0.0)
        shine = 0.0
        if self._door_open(batch):
            opening += data.door_air_w_k
            shine = data.door_wall_w_k4 * _fourth(self.wall, ambient)
        leak = opening * (self.air - ambient)
        dough_stone = dough_wall = 0.0
        if self.dough is not None:
            dough_stone = data.dough_stone_w_k * (self.upper - self.dough)
            dough_wall = data.dough_wall_w_k * (self.wall - self.dough)
            boiling = min(max((self.dough - 70.0) / 28.0, 0.0), 1.0)
            steam = boiling * max(dough_stone + dough_wall, 0.0)
            self.dough += h * (dough_stone + dough_wall - steam) / (self.dough_kg * data.dough_j_kgk)
            ledger.steam += h * steam
            if self._crust is not None:
                self._crust.bake(h, self.dough, self.air, self.wall, self.top)

        bank = 1.5 * data.element_j_k  # three elements in two banks
        self.top += h * (first + 0.5 * third - top_up - top_wall) / bank
        self.bottom += h * (second + 0.5 * third - bottom_up - bottom_wall) / bank
        self.lower += h * (bottom_up - through) / data.stone_j_k
        self.upper += h * (through + top_up - stone_air - stone_wall - dough_stone) / data.stone_j_k
        self.wall += (
            h * (top_wall + bottom_wall + stone_wall - wall_air - insulation - shine - dough_wall) / data.wall_j_k
        )
        self.air += h * (stone_air + wall_air - leak) / data.air_j_k
        ledger.electric += h * (first + second + third)
        ledger.insulation += h * insulation
        ledger.door += h * (leak + shine)

    def _radiate(self, hot: float, cold: float, share: float) -> float:
        return 1.5 * share * self.data.element_w_k4 * _fourth(hot, cold)

    def _control(self, severities: Severities) -> None:
        """Two-point control of the stone's upper side."""
        if not self.plant.shift.working(self.time_s):
            self.heating = False
            return
        setpoint = self.data.setpoint_c + 25.0 * severities.get("thermostat_drift", 0.0)
        if self.upper <= setpoint - self.data.hysteresis_k:
            self.heating = True
        elif self.upper >= setpoint + self.data.hysteresis_k:
            self.heating = False

    def _move_goods(self, batch: Batch | None) -> None:
        """Dough goes in and bread comes out in the middle of an open door."""
        half = self.data.door_s / 2
        inside = batch is not None and batch.begin_s + half <= self.time_s < batch.end_s - half
        if inside and batch is not None:
            if self.dough is None:
                self.dough, self.dough_kg = self.data.dough_c, self.data.load_kg * batch.share
                self.ledger.dough_in += self.dough_kg * self.data.dough_j_kgk * self.dough
                self._crust = Crust() if self._crusts else None
        elif self.dough is not None:
            self.ledger.goods_out += self.dough_kg * self.data.dough_j_kgk * self.dough
            self.dough = None
            if self._crust is not None:
                self.load = Load(1 if self.load is None else self.load.number + 1, self._crust.browning)
                self._crust = None


def _fourth(hot_c: float, cold_c: float) -> float:
    """Difference of the fourth powers of two temperatures in °C, K⁴."""
    return (hot_c + KELVIN) ** 4 - (cold_c + KELVIN) ** 4
