"""The slow sensors that the simulated machines carry, and how they turn a true value into a reading."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edge.sensors.base import Channel, Quantity
from edge.sensors.simulation.plant import Gauge


def thermocouple(name: str, period_s: float) -> Gauge:
    """Type K on a MAX31856 (19-5 bit format: steps of 1/128 K; -200 to 1372 °C, data sheet table 3)."""
    channel = Channel(
        name, "°C", Quantity.TEMPERATURE, low=-200.0, high=1372.0, period_s=period_s, resolution=0.0078125
    )
    return Gauge(channel, noise=0.08)


def resistance_thermometer(name: str, period_s: float) -> Gauge:
    """PT1000 on a MAX31865 (15 bit, steps of about 1/32 K; -200 to 600 °C here)."""
    channel = Channel(name, "°C", Quantity.TEMPERATURE, low=-200.0, high=600.0, period_s=period_s, resolution=0.03125)
    return Gauge(channel, noise=0.05)


def current_clamp(name: str, period_s: float, range_a: float = 30.0) -> Gauge:
    """Split-core transformer, RMS over each window; 12 bit over the range, a noise floor of 0.15 % of it."""
    channel = Channel(
        name, "A", Quantity.CURRENT, low=0.0, high=range_a, period_s=period_s, resolution=range_a / 30_000
    )
    return Gauge(channel, noise=range_a * 0.0004, floor=range_a * 0.0015)


def power_meter(name: str, period_s: float, range_w: float) -> Gauge:
    """Three-phase active power, steps of 0.1 W, noise of 0.02 % of the range."""
    channel = Channel(name, "W", Quantity.POWER, low=0.0, high=range_w, period_s=period_s, resolution=0.1)
    return Gauge(channel, noise=range_w * 0.0002, floor=range_w * 0.0005)


def tachometer(name: str, period_s: float, range_rpm: float) -> Gauge:
    """Inductive pickup, period measurement; 0 when nothing passes it."""
    channel = Channel(name, "rpm", Quantity.SPEED, low=0.0, high=range_rpm, period_s=period_s, resolution=0.01)
    return Gauge(channel, noise=range_rpm * 0.0003)


def contact(name: str, period_s: float) -> Gauge:
    """Door switch: 1 open, 0 closed."""
    channel = Channel(name, "", Quantity.STATE, low=0.0, high=1.0, period_s=period_s, resolution=1.0, steady=True)
    return Gauge(channel, noise=0.0)


def read(gauges: Sequence[Gauge], truth: Mapping[str, float], rng: np.random.Generator) -> dict[str, float]:
    """One reading of each gauge: floor, noise, steps, and never outside of what the sensor can deliver."""
    noise = rng.standard_normal(len(gauges))
    readings: dict[str, float] = {}
    for gauge, deviation in zip(gauges, noise, strict=True):
        channel = gauge.channel
        value = truth[channel.name]
        if channel.quantity is Quantity.SPEED and value == 0.0:  # no pulses, no noise
            readings[channel.name] = 0.0
            continue
        value = math.hypot(value, gauge.floor) if gauge.floor else value
        value += gauge.noise * float(deviation)
        if channel.resolution:
            value = round(value / channel.resolution) * channel.resolution
        readings[channel.name] = min(max(value, channel.low), channel.high)
    return readings
