"""What is not judged is said before anything is measured, and is what the model then leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from edge.feature_count import feature_count, left_out
from edge.machine import MachinePath, MachineSetup, SensorReading
from edge.sensors.base import Block, Channel, Quantity
from models.condition.model import Condition

SECOND_NS = 1_000_000_000
RATE_HZ = 800.0
SETUP = MachineSetup("press", running_speed_hz=24.0)
OIL = Channel("oil", "°C", Quantity.TEMPERATURE)


def accelerometers(count: int) -> list[Channel]:
    return [Channel(f"v{k}", "g", Quantity.VIBRATION, axes=3, rate_hz=RATE_HZ) for k in range(count)]


def test_one_accelerometer_has_room_and_four_have_not() -> None:
    assert left_out(SETUP, accelerometers(1)) == 0
    assert left_out(SETUP, accelerometers(4)) > 0
    assert left_out(SETUP, []) == 0
    single = [Channel("power", "W", Quantity.POWER), Channel("heat", "A", Quantity.CURRENT, axes=3), OIL]
    # The oil has its slope, the currents their unbalance.
    assert feature_count(SETUP, single) == 1 + (3 + 1) + 2


@pytest.mark.parametrize("count", [1, 5])
def test_what_is_said_is_what_the_model_does(count: int) -> None:
    channels = [*accelerometers(count), OIL]
    path, rng = MachinePath(SETUP, channels, Condition()), np.random.default_rng(0)
    for second in range(1, 40):
        blocks = [
            Block(channel, second * SECOND_NS, 0.1 * rng.standard_normal((int(RATE_HZ), 3)), RATE_HZ)
            for channel in channels[:-1]
        ]
        blocks.append(Block(OIL, second * SECOND_NS, 40.0 + rng.standard_normal(1)))
        path.step((second + 1) * SECOND_NS, [SensorReading("all", blocks)])
    assert len(path.unjudged) == left_out(SETUP, channels)
    assert "oil" not in path.unjudged
