"""A three-phase squirrel-cage motor from its nameplate: torque, slip, current, losses, warmth.

Torque over slip is Kloss's formula, T = 2·Tk / (s/sk + sk/s); the rotor current of the same equivalent circuit is
I2 = I2max / sqrt(1 + (sk/s)²) at a power factor with tan φ2 = s/sk; the magnetising current is added at right angles
to the voltage. Source: R. Fischer, Elektrische Maschinen, ch. 5 (Kloss, Kreisdiagramm).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nameplate:
    """Rated values, as a catalogue gives them."""

    power_w: float
    current_a: float
    cos_phi: float
    efficiency: float
    breakdown_ratio: float
    """Breakdown torque over rated torque."""
    inertia_kg_m2: float
    """Rotor and what it drives, seen from the motor's shaft."""


class InductionMotor:
    """Turns at `running_rpm` under its usual load, which is `usual_load` of the rated torque."""

    def __init__(self, plate: Nameplate, running_rpm: float, usual_load: float, mains_hz: float = 50.0) -> None:
        pole_pairs = max(1, math.floor(60.0 * mains_hz / running_rpm))
        self.plate = plate
        self.synchronous_rad_s = 2 * math.pi * mains_hz / pole_pairs
        usual_slip = 1.0 - running_rpm / 60.0 * 2 * math.pi / self.synchronous_rad_s
        if not 0.0 < usual_slip < 0.15:
            raise ValueError(f"{running_rpm:g} rpm is no speed of an induction motor at {mains_hz:g} Hz")
        ratio = plate.breakdown_ratio
        # The linear part of Kloss: slip over load is that of a rated point that is not known yet; two rounds settle it.
        rated_slip = usual_slip / usual_load
        for _ in range(4):
            rated_speed = self.synchronous_rad_s * (1.0 - rated_slip)
            self.rated_torque = plate.power_w / rated_speed
            self.breakdown_slip = rated_slip * (ratio + math.sqrt(ratio**2 - 1.0))
            rated_slip *= usual_slip / self._slip(usual_load / ratio)
        self.breakdown_torque = ratio * self.rated_torque
        relative = rated_slip / self.breakdown_slip
        active = plate.current_a * plate.cos_phi
        self.rotor_limit_a = active * (1.0 + relative**2) / relative
        self.magnetising_a = plate.current_a * math.sqrt(1.0 - plate.cos_phi**2) - active * relative
        # Rated losses: a fifth each iron and friction, the rest in the windings.
        losses = plate.power_w * (1.0 / plate.efficiency - 1.0)
        self.constant_loss_w = 0.35 * losses
        self.winding_ohm = 0.65 * losses / (3.0 * plate.current_a**2)

    def torque(self, slip: float, voltage: float = 1.0) -> float:
        """Nm at that slip (1: standing) and share of the rated voltage."""
        if abs(slip) < 1e-9:
            return 0.0
        relative = slip / self.breakdown_slip
        return 2.0 * self.breakdown_torque * voltage**2 / (relative + 1.0 / relative)

    def slip(self, load_nm: float, voltage: float = 1.0) -> float:
        """Slip at which it carries that load; breakdown slip when it cannot."""
        return self._slip(load_nm / (self.breakdown_torque * voltage**2))

    def _slip(self, share: float) -> float:
        if share >= 1.0:
            return self.breakdown_slip
        if share <= 1e-6:
            return self.breakdown_slip * share / 2.0
        return self.breakdown_slip * (1.0 - math.sqrt(1.0 - share**2)) / share

    def current(self, slip: float, voltage: float = 1.0) -> float:
        """RMS line current in A."""
        relative = slip / self.breakdown_slip
        rotor = self.rotor_limit_a * voltage * abs(relative) / math.sqrt(1.0 + relative**2)
        phi = math.atan(abs(relative))
        return math.hypot(rotor * math.cos(phi), self.magnetising_a * voltage**1.5 + rotor * math.sin(phi))

    def losses(self, current_a: float) -> float:
        """Heat in W while it is energised."""
        return self.constant_loss_w + 3.0 * self.winding_ohm * current_a**2

    def run(self, speed_rad_s: float, load_nm: float, seconds: float, voltage: float = 1.0) -> float:
        """Speed after a step in which it is energised.

        Linearly implicit Euler, so that the stiff end near the synchronous speed is stable at any step.
        """
        slip = 1.0 - speed_rad_s / self.synchronous_rad_s
        relative = slip / self.breakdown_slip
        surplus = self.torque(slip, voltage) - load_nm
        # dT/dω = -dT/ds / ω_s; on the rising branch (s > sk) it is left out, so the step is explicit there.
        bend = 2.0 * self.breakdown_torque * voltage**2 * (1.0 - relative**2) / (1.0 + relative**2) ** 2
        stiffness = max(0.0, bend / (self.breakdown_slip * self.synchronous_rad_s))
        change = seconds * surplus / (self.plate.inertia_kg_m2 + seconds * stiffness)
        return min(max(speed_rad_s + change, 0.0), self.synchronous_rad_s)

    def coast(self, speed_rad_s: float, drag_nm: float, seconds: float) -> float:
        """Speed after a step in which it is switched off and braked by a constant drag."""
        return max(0.0, speed_rad_s - seconds * drag_nm / self.plate.inertia_kg_m2)


@dataclass(slots=True)
class MotorWarmth:
    """Two lumps, winding and housing. Heat capacities in J/K, conductances in W/K, temperatures in °C.

    The fan on the shaft cools a turning motor better than a standing one (IEC 60034-6, IC411).
    """

    winding_c: float
    housing_c: float
    winding_j_k: float
    housing_j_k: float
    inner_w_k: float
    turning_w_k: float
    standing_w_k: float

    def step(self, seconds: float, losses_w: float, ambient_c: float, *, turning: bool) -> None:
        """Explicit Euler; stable while the step is short beside the winding's own time constant (minutes)."""
        inward = self.inner_w_k * (self.winding_c - self.housing_c)
        outward = (self.turning_w_k if turning else self.standing_w_k) * (self.housing_c - ambient_c)
        self.winding_c += seconds * (losses_w - inward) / self.winding_j_k
        self.housing_c += seconds * (inward - outward) / self.housing_j_k
