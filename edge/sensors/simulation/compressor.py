"""The cooling compressor of a small cold room: thermostat, evaporator, condenser, motor, vibration.

Room, evaporator and condenser are heat capacities; the compressor moves heat between them by its cycle
(`refrigerant`), and its shaft work loads the motor. Equations and sources are in docs/simulation.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.sensors.simulation.accelerometer import Accelerometer, vibration_channel
from edge.sensors.simulation.bearing import Place
from edge.sensors.simulation.gauges import current_clamp, resistance_thermometer
from edge.sensors.simulation.induction_motor import InductionMotor, Nameplate
from edge.sensors.simulation.plant import Plant, Severities, steps
from edge.sensors.simulation.refrigerant import Cycle, cycle
from edge.sensors.simulation.rotation import FINE_STEP_S, Rotation, RotationTrace
from edge.sensors.simulation.schedule import Batches
from edge.sensors.simulation.vibration import Damage, Excitation, Order, Structure, acceleration

MOTOR = Nameplate(
    power_w=1_100.0, current_a=2.5, cos_phi=0.79, efficiency=0.82, breakdown_ratio=2.8, inertia_kg_m2=0.012
)
USUAL_LOAD = 0.6
USUAL_RPM = 1_450.0
SWEPT_M3 = 6.55e-5
"""Swept volume per turn: 5.7 m³/h at 1450 rpm; a faster machine has a smaller one."""
FRICTION_NM = 0.5
STRUCTURE = Structure(mass_kg=32.0, mount_hz=8.0, mount_damping=0.12)
BEARING_HEIGHT_M_S2 = 6.5
PLACES: tuple[tuple[str, Place], ...] = (("bearing_outer", "outer"), ("bearing_inner", "inner"))


@dataclass(frozen=True, slots=True)
class ColdRoomData:
    """One cold room. W/K, J/K, °C, W."""

    room_j_k: float = 90_000.0
    """Air and the skin of the goods that follows it within minutes."""
    room_w_k: float = 18.0
    """Walls and seams."""
    load_w: float = 500.0
    """Fans, light, goods that are brought in."""
    door_w: float = 1_500.0
    """An open door."""
    evaporator_w_k: float = 150.0
    evaporator_j_k: float = 6_000.0
    condenser_w_k: float = 165.0
    condenser_j_k: float = 7_000.0
    on_c: float = 5.0
    off_c: float = 2.0
    rest_s: float = 90.0
    """Shortest standstill, so that the pressures are equal before it starts again."""
    high_cut_c: float = 66.0
    """The high-pressure switch opens at this condensing temperature (19 bar) and closes 20 K below."""
    superheat_k: float = 10.0


class Compressor:
    """One reciprocating compressor with a cold room."""

    faults = (
        "fan_blocked",
        "refrigerant_leak",
        "valve_leak",
        "winding_short",
        "bearing_outer",
        "bearing_inner",
        "loose_sensor",
    )

    def __init__(self, plant: Plant, data: ColdRoomData | None = None) -> None:
        self.plant = plant
        self.data = data or ColdRoomData()
        self.time_s = plant.start_s
        running_rpm = plant.running_rpm or USUAL_RPM * plant.mains_hz / 50.0
        self.motor = InductionMotor(MOTOR, running_rpm, USUAL_LOAD, plant.mains_hz)
        self.nominal_rad_s = running_rpm * 2 * math.pi / 60.0
        self._swept_m3 = SWEPT_M3 * USUAL_RPM / running_rpm
        self.speed_rad_s = 0.0
        self.turns = 0.0
        ambient = plant.ambient(self.time_s)
        self.room = self.data.on_c
        self.evaporating = self.room
        self.condensing = ambient
        self.discharge = self.suction = ambient
        self.running = False
        self.tripped = False
        self._stopped_s = self.time_s - self.data.rest_s
        self._doors = Batches(plant.streams, plant.shift, slot_s=900.0, length_s=45.0, slack_s=700.0)
        self._accelerometer = Accelerometer()
        self._rotation: Rotation | None = None
        period = plant.period_s
        self.gauges = (
            *(current_clamp(f"current_l{phase}", period, 15.0) for phase in (1, 2, 3)),
            resistance_thermometer("suction_temperature", period),
            resistance_thermometer("discharge_temperature", period),
            resistance_thermometer("room_temperature", period),
        )
        self.waves = (vibration_channel(plant.axes, plant.rate_hz, plant.period_s),)

    def window(self, seconds: float, severities: Severities) -> Mapping[str, float]:
        """Runs on in steps of 20 ms; see `Machine.window`."""
        count, step = steps(seconds, FINE_STEP_S)
        trace = RotationTrace.begin(self.time_s, self.turns, self.speed_rad_s, 0.0, float(self.running))
        squares = 0.0
        for number in range(count):
            current, load = self._advance(step, severities, settled=False)
            squares += current**2
            trace.add(step, self.speed_rad_s, load, float(self.running))
            if number == 0:
                trace.loads[0] = load
        self._rotation = trace.sampled(self.plant.samples, self.plant.rate_hz)
        current = math.sqrt(squares / count)
        short = severities.get("winding_short", 0.0)
        # Supply and windings are never quite equal; shorted turns draw on their own phase most.
        unequal = (1.0 + 0.45 * short, 1.012 + 0.12 * short, 0.991 - 0.04 * short)
        return {
            **{f"current_l{phase}": share * current for phase, share in enumerate(unequal, 1)},
            "suction_temperature": self.suction,
            "discharge_temperature": self.discharge,
            "room_temperature": self.room,
        }

    def waveforms(self, severities: Severities, rng: np.random.Generator) -> Mapping[str, NDArray[np.float64]]:
        """See `Machine.waveforms`."""
        if self._rotation is None:
            return {}
        plant = self.plant
        true = acceleration(
            self._rotation,
            _excitation(severities),
            STRUCTURE,
            nominal_rad_s=self.nominal_rad_s,
            mains_hz=plant.mains_hz,
            geometry=plant.bearing,
            rng=rng,
        )
        loose = severities.get("loose_sensor", 0.0)
        return {"vibration": self._accelerometer.report(true, plant.rate_hz, plant.axes, rng, loose)}

    def lapse(self, seconds: float, severities: Severities) -> None:
        """Runs on in steps of 1 s; see `Machine.lapse`."""
        count, step = steps(seconds)
        for _ in range(count):
            self._advance(step, severities, settled=True)

    def _advance(self, h: float, severities: Severities, *, settled: bool) -> tuple[float, float]:
        """One step; the motor's current and its share of the usual load. `settled`: the shaft has no inertia."""
        data = self.data
        self.time_s += h
        self._control()
        ambient = self.plant.ambient(self.time_s)
        leak = severities.get("refrigerant_leak", 0.0)
        # With too little refrigerant the evaporator's end runs dry: less of it cools, and the gas leaves it hotter.
        evaporator = data.evaporator_w_k * (1.0 - 0.55 * leak)
        superheat = min(data.superheat_k + 14.0 * leak, max(self.room - self.evaporating, data.superheat_k) + 8.0)
        point = cycle(
            self.evaporating,
            self.condensing,
            superheat,
            self._swept_m3 * self.speed_rad_s / (2 * math.pi) if self.running else 0.0,
            0.3 * severities.get("valve_leak", 0.0),
        )
        current, load = self._drive(h, point, severities, settled=settled)
        condenser = data.condenser_w_k * (1.0 - 0.72 * severities.get("fan_blocked", 0.0))
        taken = evaporator * (self.room - self.evaporating)
        door = data.door_w if self._doors.at(self.time_s) is not None else 0.0
        warming = data.room_w_k * (ambient - self.room) + data.load_w + door
        self.room += h * (warming - taken) / data.room_j_k
        self.evaporating += h * (taken - point.cooling_w) / data.evaporator_j_k
        rejected = condenser * (self.condensing - ambient)
        self.condensing += h * (point.cooling_w + point.work_w - rejected) / data.condenser_j_k
        self._warm_pipes(h, point, superheat, ambient, severities)
        self.turns += h * self.speed_rad_s / (2 * math.pi)
        return current, load

    def _control(self) -> None:
        """Room thermostat with a shortest rest, and the high-pressure switch."""
        data = self.data
        if self.condensing >= data.high_cut_c:
            self.tripped = True
        elif self.condensing <= data.high_cut_c - 20.0:
            self.tripped = False
        rested = self.time_s - self._stopped_s >= data.rest_s
        if self.running and (self.room <= data.off_c or self.tripped):
            self.running = False
            self._stopped_s = self.time_s
        elif not self.running and self.room >= data.on_c and rested and not self.tripped:
            self.running = True

    def _drive(self, h: float, point: Cycle, severities: Severities, *, settled: bool) -> tuple[float, float]:
        if not self.running:
            # The gas in the cylinders stops it within a turn or two.
            self.speed_rad_s = 0.0 if settled else self.motor.coast(self.speed_rad_s, 6.0, h)
            return 0.0, 0.0
        voltage = self.plant.mains(self.time_s) / 230.0
        # Torque follows from work per turn, so it is there from the first turn on.
        flow_per_turn = point.work_w / self.speed_rad_s if self.speed_rad_s > 1.0 else 0.0
        torque = FRICTION_NM + flow_per_turn + 0.8 * severities.get("winding_short", 0.0)
        if settled:
            slip = self.motor.slip(torque, voltage)
            self.speed_rad_s = self.motor.synchronous_rad_s * (1.0 - slip)
        else:
            self.speed_rad_s = self.motor.run(self.speed_rad_s, torque, h, voltage)
            slip = 1.0 - self.speed_rad_s / self.motor.synchronous_rad_s
        return self.motor.current(slip, voltage), torque / (USUAL_LOAD * self.motor.rated_torque)

    def _warm_pipes(self, h: float, point: Cycle, superheat: float, ambient: float, severities: Severities) -> None:
        """Strap-on thermometers follow the pipes: within a minute while gas flows, slowly back to ambient when not."""
        if self.running:
            self.suction += h / 45.0 * (self.evaporating + superheat - self.suction)
            hot = point.discharge_c + 8.0 * severities.get("winding_short", 0.0)
            self.discharge += h / 90.0 * (hot - self.discharge)
        else:
            self.suction += h / 500.0 * (0.5 * (ambient + self.room) - self.suction)
            self.discharge += h / 700.0 * (ambient - self.discharge)


def _excitation(severities: Severities) -> Excitation:
    """A piston shakes at the shaft's rate and twice that; valves and gas add harmonics."""
    damage = tuple(
        Damage(place, BEARING_HEIGHT_M_S2 * severities[name]) for name, place in PLACES if name in severities
    )
    worn = max((severities.get(name, 0.0) for name, _ in PLACES), default=0.0)
    hiss = severities.get("valve_leak", 0.0)
    short = severities.get("winding_short", 0.0)
    orders = (
        Order(1.0, 7.5, (1.0, 0.7, 0.2), quadrature=True),
        Order(2.0, 6.0, (0.9, 0.6, 0.3), phase=0.9),
        Order(3.0, 2.0, (0.6, 0.7, 0.3), phase=0.2),
        Order(4.0, 2.0, (0.6, 0.5, 0.4), phase=1.9),
        Order(6.0, 1.0, (0.5, 0.6, 0.4), phase=2.6),
    )
    return Excitation(
        orders=orders,
        hum_m_s2=0.15 * (1.0 + 4.0 * short),
        friction_m_s2=0.35 * (1.0 + 0.4 * worn + 0.8 * hiss),
        damage=damage,
    )
