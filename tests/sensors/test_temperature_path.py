"""An oven with every temperature chip on it, from the chip's register to the finding: broken probes are no broken oven."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.chip_rig import Rig

from edge.feed import SensorFeed
from edge.findings import FindingChange
from edge.machine import MachinePath, MachineSetup
from edge.sensors.ds18b20 import Ds18b20, Ds18b20Config
from edge.sensors.max31855 import Max31855, Max31855Config
from edge.sensors.max31856 import Max31856, Max31856Config
from edge.sensors.max31865 import Max31865, Max31865Config
from edge.sensors.mlx90614 import Mlx90614, Mlx90614Config
from edge.sensors.registry import Surroundings
from edge.sensors.rtd import resistance_ohm
from edge.sensors.sht31 import Sht31, Sht31Config
from edge.sensors.simulation.chips.max31855 import Max31855Chip
from edge.sensors.simulation.chips.max31856 import Max31856Chip
from edge.sensors.simulation.chips.max31865 import Max31865Chip
from edge.sensors.simulation.chips.mlx90614 import Mlx90614Chip
from edge.sensors.simulation.chips.one_wire import Ds18b20Chip, SimulatedOneWire
from edge.sensors.simulation.chips.sht31 import Sht31Chip
from models.condition.model import Condition
from models.condition.settings import Settings

CORE = "28-0316a2794c1f"


class Oven(Rig):
    """All six chips on one board, read every second."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.surroundings = Surroundings("oven", "oven", self.clock, 1.0, root=str(root), buses=self.buses)
        self.random = np.random.default_rng(5)
        self.wires = [self.buses.wire_spi(0, select) for select in range(3)]
        self.i2c = self.buses.wire_i2c(1)
        self.deck = Max31855Chip(self.clock)
        self.chamber = Max31856Chip(self.clock)
        self.stone = Max31865Chip(self.clock)
        self.crust = Mlx90614Chip()
        self.air = Sht31Chip(self.clock)
        self.bus = SimulatedOneWire(root)
        self.core = self.bus.plug(Ds18b20Chip(CORE))
        self.wires[0].chip, self.wires[1].chip, self.wires[2].chip = self.deck, self.chamber, self.stone
        self.i2c.plug(0x5A, self.crust)
        self.i2c.plug(0x44, self.air)
        self.clock.step(1.0)
        near = self.surroundings
        self.feeds: list[SensorFeed] = [
            self.feed(sensor, sensor.channels[0].name)
            for sensor in (
                Max31855(Max31855Config(select=0, channel="deck"), near),
                Max31856(Max31856Config(select=1, channel="chamber"), near),
                Max31865(Max31865Config(select=2, channel="stone"), near, sleep=self.clock.step),
                Mlx90614(Mlx90614Config(channel="crust", ambient=False), near),
                Sht31(Sht31Config(channel="air", every_s=1.0), near, sleep=self.clock.step),
                Ds18b20(Ds18b20Config(channel="core", every_s=1.0), near, run=lambda work: work()),
            )
        ]
        channels = [channel for feed in self.feeds for channel in feed.channels]
        self.path = MachinePath(
            MachineSetup("oven", "oven", 1.0, boot="boot-1"), channels, Condition(Settings(warmup=60, kind="oven"))
        )
        self.findings: list[FindingChange] = []

    def tick(self) -> dict[str, float]:
        """One second of an oven that holds its temperature."""
        self.clock.step(1.0)
        seconds = self.clock() / 1e9
        wave = 1.5 * math.sin(seconds / 40.0)
        self.deck.probe_c, self.chamber.probe_c = (230.0 + wave + self.random.normal(0, 0.3) for _ in range(2))
        self.stone.ohm = (
            resistance_ohm(100.0, 228.0 + wave + self.random.normal(0, 0.1)) if self.stone.ohm < 500 else 1e9
        )
        self.crust.object_c = 105.0 + wave + self.random.normal(0, 0.2)
        self.air.celsius, self.air.humidity = 33.0 + self.random.normal(0, 0.05), 76.0 + self.random.normal(0, 0.3)
        self.core.celsius = 97.0 + self.random.normal(0, 0.1)
        self.bus.convert()
        step = self.path.step(self.clock(), [feed.read(self.clock()) for feed in self.feeds])
        self.findings.extend(step.findings)
        return {name: column.values[-1] for name, column in step.series.items() if len(column.values)}


def pull(oven: Oven) -> None:
    oven.i2c.pull(0x5A)


def back(oven: Oven) -> None:
    oven.i2c.plug(0x5A, oven.crust)


def attribute(chip: str, name: str, value: object) -> Callable[[Oven], None]:
    return lambda oven: setattr(getattr(oven, chip), name, value)


def test_a_sound_oven_delivers_what_surrounds_its_probes(tmp_path: Path) -> None:
    oven = Oven(tmp_path)
    for _ in range(90):
        read = oven.tick()
    expected: dict[str, Any] = {"deck": 230, "chamber": 230, "stone": 228, "crust": 105, "air": 33, "core": 97}
    for name, celsius in expected.items():
        assert read[name] == pytest.approx(celsius, abs=4.0), name
    assert read["humidity"] == pytest.approx(76.0, abs=2.0)
    assert oven.findings == []


@pytest.mark.parametrize(
    ("channel", "cause", "broken", "mended"),
    [
        ("deck", "sensor_short", attribute("deck", "shorted_to_ground", True), attribute("deck", "shorted_to_ground", False)),
        ("chamber", "sensor_open", attribute("chamber", "open", True), attribute("chamber", "open", False)),
        ("stone", "sensor_open", attribute("stone", "ohm", 1e9), attribute("stone", "ohm", 185.0)),
        ("crust", "sensor_bus", pull, back),
        ("core", "sensor_no_data", attribute("core", "resets", True), attribute("core", "resets", False)),
    ],
)  # fmt: skip
def test_a_broken_probe_is_told_within_ten_seconds_and_heals(
    tmp_path: Path, channel: str, cause: str, broken: Callable[[Oven], None], mended: Callable[[Oven], None]
) -> None:
    oven = Oven(tmp_path)
    for _ in range(90):
        oven.tick()
    broken(oven)
    for _ in range(10):
        oven.tick()
    (opened,) = oven.findings
    assert (opened.type, opened.state, opened.cause, opened.channel) == ("sensor", "open", cause, channel)
    mended(oven)
    for _ in range(75):
        oven.tick()
    assert {finding.id for finding in oven.findings} == {opened.id}
    assert oven.findings[-1].state == "cleared"
