"""What one block of current says: RMS, harmonics, negative sequence, and the lines beside the mains' frequency."""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np

from models.condition.features.spectrum import Complexes, Floats, Rows, near

HARMONIC_ORDERS = (2, 3, 5, 7, 11, 13)
SIDEBANDS_HZ = 6.0
"""Bars that are broken put lines at (1 ± 2s)·f beside the mains' frequency f; slip s is below 6 % of 50 Hz."""
RESOLVED_HZ = 1.6
"""Sidebands are looked for where a spectrum's lines are no farther apart."""
_THIRD = cmath.exp(2j * math.pi / 3)
_POLE_PAIRS = (1, 2, 3, 4)
_MOST_SLIP = 0.08
_LEAST_SHARE = 0.02


class CurrentPlan(NamedTuple):
    """What is fixed for one length, rate and mains frequency."""

    window: Floats
    """Already scaled, so that a line is an amplitude."""
    carrier: Complexes
    """Turns with the mains; its product with a wave is the phasor of it."""
    names: tuple[str, ...]
    weights: Floats
    """(names, lines): the fundamental first."""
    step_hz: float


def current_plan(samples: int, rate_hz: float, nominal_hz: float) -> CurrentPlan:
    """The plan for blocks of that length; without names where they are too short for the mains' frequency."""
    window = np.hanning(samples)
    window *= 2.0 / max(float(window.sum()), 1e-9)
    step_hz = rate_hz / samples
    frequency = np.arange(samples // 2 + 1) * step_hz
    carrier = window * np.exp(-2j * math.pi * nominal_hz / rate_hz * np.arange(samples))
    harmonics = [nominal_hz * k for k in HARMONIC_ORDERS if nominal_hz * k < rate_hz / 2]
    if nominal_hz < 2 * step_hz or not harmonics:
        return CurrentPlan(window, carrier, (), np.zeros((0, len(frequency))), step_hz)
    names = ["fundamental", "harmonics"]
    rows = [near(frequency, [nominal_hz], step_hz), near(frequency, harmonics, step_hz)]
    if step_hz <= RESOLVED_HZ:
        apart = np.abs(frequency - nominal_hz)
        beside = (apart > 2.5 * step_hz) & (apart <= SIDEBANDS_HZ + 2.5 * step_hz)
        names.append("sidebands")
        rows.append(beside.astype(np.float64))
    return CurrentPlan(window, carrier, tuple(names), np.array(rows), step_hz)


def of_block(rows: Rows, plan: CurrentPlan) -> tuple[dict[str, Floats], dict[str, float], Floats]:
    """Per phase, of all phases, and the amplitude spectrum (phases, lines).

    Per phase: RMS in the wave's unit; harmonics and sidebands in percent of the fundamental. Of all: see `unbalance` and
    `sequences`.
    """
    wave, rms = rows.wave, np.sqrt(np.array(rows.power))
    each: dict[str, Floats] = {"rms": rms}
    amplitude = np.zeros((len(wave), 0))
    if plan.names:
        amplitude = np.abs(np.fft.rfft(wave * plan.window, axis=1))
        linear = np.sqrt(plan.weights @ (amplitude * amplitude).T)
        base = 100.0 / np.maximum(linear[0], _LEAST_SHARE * linear[0].max() + 1e-9)
        for index in range(1, len(plan.names)):
            each[plan.names[index]] = linear[index] * base
    whole = unbalance(rms) if len(wave) > 1 else {}
    if len(wave) == 3 and plan.names:
        whole.update(sequences(wave @ plan.carrier))
    return each, whole, amplitude


def unbalance(rms: Floats) -> dict[str, float]:
    """Unbalance of phases in percent; nothing while no current flows.

    It is the largest distance of a phase's RMS from the mean of all, over that mean (NEMA MG-1 14.36 defines it so for voltages).

    >>> {name: round(value, 1) for name, value in unbalance(np.array([10.0, 10.0, 7.0])).items()}
    {'unbalance': 22.2}
    """
    mean = float(np.add.reduce(rms)) / len(rms)
    if not mean > 1e-6:
        return {}
    return {"unbalance": 100.0 * float(np.abs(rms - mean).max()) / mean}


def sequences(phasors: Complexes) -> dict[str, float]:
    """Negative sequence of three phases, percent of the positive one, as its two components.

    Symmetrical components (Fortescue, Trans. AIEE 37, 1918): a healthy machine on a healthy mains draws nearly none; a short
    between turns makes one whose direction is that of the damaged phase. The direction is told relative to the positive sequence, so
    it does not depend on when a block began. The order in which the clamps were put on does not matter: the larger one is the
    positive one. Nothing while no current flows.

    >>> {name: round(value, 3) for name, value in sequences(np.array([1.1, _THIRD**2, _THIRD])).items()}
    {'negative_real': 3.226, 'negative_imaginary': 0.0}
    """
    first, second, third = phasors.tolist()
    turning = (first + _THIRD * second + _THIRD**2 * third) / 3
    against = (first + _THIRD**2 * second + _THIRD * third) / 3
    if abs(against) > abs(turning):
        turning, against = against, turning
    if not abs(turning) > 1e-6:
        return {}
    ratio = 100.0 * against / turning
    return {"negative_real": ratio.real, "negative_imaginary": ratio.imag}


def running_speed(amplitude: Floats, step_hz: float, mains_hz: float) -> tuple[float, float] | None:
    """Revolutions a second of an induction motor, and 0 to 1 how sure, from its current; None where lines are too far apart.

    A rotor that does not run quite true puts lines at f ± fr around the mains' frequency f (Hurst and Habetler, Sensorless speed
    measurement using current harmonic spectral estimation in induction machine drives, IEEE Trans. Power Electronics 11, 1996). The
    shaft turns with up to 8 % slip below f / pole pairs.
    """
    if step_hz > RESOLVED_HZ:
        return None
    level = amplitude.sum(axis=0)
    best: tuple[float, float] | None = None
    for pairs in _POLE_PAIRS:
        top = mains_hz / pairs
        candidates = np.arange(math.ceil(top * (1 - _MOST_SLIP) / step_hz), int(top / step_hz) + 1)
        low, high = round(mains_hz / step_hz) - candidates, round(mains_hz / step_hz) + candidates
        inside = (low >= 3) & (high < len(level) - 1)
        if not inside.any():
            continue
        floor = np.median(level[max(round(0.5 * top / step_hz), 1) : round((mains_hz + 1.5 * top) / step_hz)])
        pair = np.sqrt(level[low[inside]] * level[high[inside]]) / max(float(floor), 1e-12)
        at = int(np.argmax(pair))
        sure = float(np.clip((pair[at] - 3.0) / 10.0, 0.0, 1.0))
        if best is None or sure > best[1]:
            best = (float(candidates[inside][at]) * step_hz, sure)
    return best
