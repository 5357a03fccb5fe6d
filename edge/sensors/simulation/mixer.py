"""A spiral mixer: motor, V-belt, spiral in stiffening dough, one bearing that may be damaged.

The dough's torque follows a farinogram (hydration, development to a peak, slow breakdown); the motor answers it with
slip, current and warmth; imbalance, misalignment, belt, looseness and bearing shake the frame. Equations and sources
are in docs/simulation.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.sensors.simulation.accelerometer import Accelerometer, vibration_channel
from edge.sensors.simulation.bearing import Place
from edge.sensors.simulation.gauges import current_clamp, resistance_thermometer, tachometer
from edge.sensors.simulation.induction_motor import InductionMotor, MotorWarmth, Nameplate
from edge.sensors.simulation.plant import Plant, Severities, steps
from edge.sensors.simulation.rotation import FINE_STEP_S, Rotation, RotationTrace
from edge.sensors.simulation.schedule import Batch, Batches
from edge.sensors.simulation.vibration import Damage, Excitation, Order, Structure, acceleration

MOTOR = Nameplate(
    power_w=4_000.0, current_a=8.1, cos_phi=0.80, efficiency=0.886, breakdown_ratio=3.0, inertia_kg_m2=0.06
)
"""4 kW, 4 poles, IE3, with the values that catalogues give for that size."""
USUAL_LOAD = 0.6
USUAL_RPM = 1_475.0
SPIRAL_RATIO = 7.4
"""Turns of the motor per turn of the spiral at 1475 rpm; a faster motor is geared down further."""
BELT_ORDER = math.pi * 0.090 / 1.600
"""Belt runs per motor turn: pulley of 90 mm, belt of 1600 mm."""
STRUCTURE = Structure(mass_kg=60.0, mount_hz=6.0, mount_damping=0.12)
BEARING_HEIGHT_M_S2 = 6.0
"""First ring of a bearing hit at full severity."""
PLACES: tuple[tuple[str, Place], ...] = (
    ("bearing_outer", "outer"),
    ("bearing_inner", "inner"),
    ("bearing_ball", "ball"),
    ("bearing_cage", "cage"),
)
SHORT_HEAT_W = 150.0
"""In shorted turns."""
LOOSE_ORDERS = ((0.5, 8.0), (1.5, 12.0), (2.0, 20.0), (2.5, 10.0), (3.0, 22.0), (4.0, 18.0), (5.0, 14.0), (6.0, 10.0))
"""Order and force in N: a joint that opens once a turn or every other turn has harmonics and half orders together."""


class Mixer:
    """One spiral mixer. Batches of about 12 minutes every 16; it stands still between them."""

    faults = (
        "bearing_outer",
        "bearing_inner",
        "bearing_ball",
        "bearing_cage",
        "imbalance",
        "misalignment",
        "looseness",
        "belt",
        "winding_short",
        "loose_sensor",
    )

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.time_s = plant.start_s
        running_rpm = plant.running_rpm or USUAL_RPM * plant.mains_hz / 50.0
        self.motor = InductionMotor(MOTOR, running_rpm, USUAL_LOAD, plant.mains_hz)
        self.nominal_rad_s = running_rpm * 2 * math.pi / 60.0
        self._ratio = SPIRAL_RATIO * running_rpm / USUAL_RPM
        self.speed_rad_s = 0.0
        self.turns = 0.0
        at = plant.ambient(self.time_s)
        self.warmth = MotorWarmth(at, at, 3_000.0, 15_000.0, 12.0, 8.0, 4.0)
        self._batches = Batches(plant.streams, plant.shift, slot_s=960.0, length_s=720.0)
        self._accelerometer = Accelerometer()
        self._rotation: Rotation | None = None
        period = plant.period_s
        self.gauges = (
            current_clamp("motor_current", period),
            resistance_thermometer("motor_temperature", period),
            tachometer("spiral_speed", period, 400.0),
        )
        self.waves = (vibration_channel(plant.axes, plant.rate_hz, plant.period_s),)

    def window(self, seconds: float, severities: Severities) -> Mapping[str, float]:
        """Runs on in steps of 20 ms; see `Machine.window`."""
        count, step = steps(seconds, FINE_STEP_S)
        batch = self._batches.at(self.time_s)
        trace = RotationTrace.begin(
            self.time_s, self.turns, self.speed_rad_s, self._share(batch, severities), float(batch is not None)
        )
        squares = 0.0
        for _ in range(count):
            current = self._turn(step, severities)
            squares += current**2
            batch = self._batches.at(self.time_s)
            trace.add(step, self.speed_rad_s, self._share(batch, severities), float(batch is not None))
        self._rotation = trace.sampled(self.plant.samples, self.plant.rate_hz)
        slip = 0.05 * severities.get("belt", 0.0)
        return {
            # The clamp is on the phase whose turns are shorted.
            "motor_current": math.sqrt(squares / count) * (1.0 + 0.45 * severities.get("winding_short", 0.0)),
            "motor_temperature": self.warmth.housing_c,
            "spiral_speed": self.speed_rad_s * 60.0 / (2 * math.pi) / self._ratio * (1.0 - slip),
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
        """Runs on in steps of 1 s, in which a motor has long settled; see `Machine.lapse`."""
        count, step = steps(seconds)
        for _ in range(count):
            batch = self._batches.at(self.time_s)
            if batch is None:
                self.speed_rad_s, current = 0.0, 0.0
            else:
                slip = self.motor.slip(self._torque(batch, severities))
                self.speed_rad_s = self.motor.synchronous_rad_s * (1.0 - slip)
                current = self.motor.current(slip, self._voltage())
            self._pass(step, current, severities)

    def _turn(self, step: float, severities: Severities) -> float:
        """One fine step; the current in it."""
        batch = self._batches.at(self.time_s)
        if batch is None:
            self.speed_rad_s = self.motor.coast(self.speed_rad_s, 8.0, step)
            current = 0.0
        else:
            voltage = self._voltage()
            self.speed_rad_s = self.motor.run(self.speed_rad_s, self._torque(batch, severities), step, voltage)
            current = self.motor.current(1.0 - self.speed_rad_s / self.motor.synchronous_rad_s, voltage)
        self._pass(step, current, severities)
        return current

    def _pass(self, step: float, current: float, severities: Severities) -> None:
        losses = self.motor.losses(current) + SHORT_HEAT_W * severities.get("winding_short", 0.0) if current else 0.0
        self.warmth.step(step, losses, self.plant.ambient(self.time_s), turning=self.speed_rad_s > 50.0)
        self.turns += step * self.speed_rad_s / (2 * math.pi)
        self.time_s += step

    def _voltage(self) -> float:
        return self.plant.mains(self.time_s) / 230.0

    def _torque(self, batch: Batch, severities: Severities) -> float:
        """Nm at the motor's shaft: drive, dough, and the ripple of spiral and bowl; a slipping belt carries less."""
        spiral = 2 * math.pi * self.turns / self._ratio
        ripple = 1.0 + 0.05 * math.sin(spiral) + 0.03 * math.sin(spiral / 10.0)
        dough = (
            0.55
            * self.motor.rated_torque
            * batch.share
            * batch.consistency
            * farinogram((self.time_s - batch.begin_s) / 480.0)
        )
        belt = severities.get("belt", 0.0)
        drive = 0.115 * self.motor.rated_torque * (1.0 + 0.4 * belt)
        return drive + dough * ripple * (1.0 - 0.12 * belt)

    def _share(self, batch: Batch | None, severities: Severities) -> float:
        if batch is None:
            return 0.0
        return self._torque(batch, severities) / (USUAL_LOAD * self.motor.rated_torque)


def farinogram(time: float) -> float:
    """Torque of a dough relative to its peak; `time` is relative to the time of the peak.

    Half of it is there when the water is in; the rest, the gluten's, grows as x·exp(1 - x) and breaks down slowly.
    """
    x = max(time, 0.0)
    return 0.5 * min(x / 0.1, 1.0) + 0.5 * x * math.exp(1.0 - x)


def _excitation(severities: Severities) -> Excitation:
    """Forces in N at nominal speed; a healthy rotor is balanced to G6.3 (m·e = 0.4 g·m at 10 kg), so 9.5 N at 1475 rpm."""
    imbalance, misalignment, looseness, belt = (
        severities.get(name, 0.0) for name in ("imbalance", "misalignment", "looseness", "belt")
    )
    orders = [
        Order(1.0, 9.5 * (1.0 + 5.0 * imbalance), (1.0, 0.8, 0.1), quadrature=True),
        Order(1.0, 1.5 + 12.0 * misalignment, (0.4, 0.4, 1.0), phase=0.7),
        Order(2.0, 4.0 + 50.0 * misalignment, (0.8, 1.0, 0.6), phase=1.1),
        Order(3.0, 1.5 + 14.0 * misalignment, (0.5, 0.6, 0.4), phase=2.0),
    ]
    # The belt's own rate and its harmonics: a worn or slack belt beats at each run.
    for harmonic in (1, 2, 3, 4):
        force = (0.2 + 8.0 * belt) / harmonic**0.5
        orders.append(Order(harmonic * BELT_ORDER, force, (1.0, 0.4, 0.2), phase=0.4 * harmonic))
    if looseness > 0.0:
        orders.extend(
            Order(order, force * looseness, (0.5, 1.0, 0.3), phase=1.3 * order) for order, force in LOOSE_ORDERS
        )
        orders.append(Order(1.0, 16.0 * looseness, (0.3, 1.0, 0.2)))
    damage = tuple(
        Damage(place, BEARING_HEIGHT_M_S2 * severities[name]) for name, place in PLACES if name in severities
    )
    worn = max((severities.get(name, 0.0) for name, _ in PLACES), default=0.0)
    return Excitation(
        orders=orders,
        hum_m_s2=0.12 * (1.0 + 4.0 * severities.get("winding_short", 0.0)),
        friction_m_s2=0.32 * (1.0 + 0.4 * worn + 0.5 * belt + 0.3 * looseness),
        damage=damage,
    )
