"""One machine's path: checks, features, model and findings together."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

from edge.findings import FindingChange
from edge.machine import MachinePath, MachineSetup, SensorReading, Step
from edge.sensors.base import Block, Channel, Fault, Quantity
from models.condition.bearing import Bearing
from models.condition.contract import Word
from models.condition.model import Condition
from models.condition.settings import Settings

BEARING = Bearing(9, 7.94, 39.04)
SPEED = 1475 / 60
RATE = 1600.0
VIBRATION = Channel("vibration", "g", Quantity.VIBRATION, -16, 16, rate_hz=RATE)
TEMPERATURE = Channel("temperature", "°C", Quantity.TEMPERATURE, -50, 400)
CURRENT = Channel("current", "A", Quantity.CURRENT, 0, 50)
DOOR = Channel("door", "", Quantity.STATE, 0, 1, steady=True)
ENERGY = Channel("energy", "kWh", Quantity.ENERGY, 0)
CHANNELS = (VIBRATION, TEMPERATURE, CURRENT, DOOR, ENERGY)
SECOND = 1_000_000_000


class Rig:
    """A motor with a bearing: one vibration block, and slow readings, each second."""

    def __init__(self, seed: int = 0, warmup: int = 60, boot: str = "boot-1") -> None:
        self.rng = np.random.default_rng(seed)
        self.setup = MachineSetup("mixer", "mixer", 1.0, SPEED, bearing=BEARING, boot=boot)
        self.path = MachinePath(self.setup, CHANNELS, Condition(Settings(warmup=warmup, kind="mixer")))
        self.now_ns = 10**12
        self.knock = 0.0
        self.energy = 100.0
        self.findings: list[FindingChange] = []

    def blocks(self) -> list[Block]:
        t = self.now_ns / 1e9 + np.arange(int(RATE)) / RATE
        wave = 0.05 * self.rng.standard_normal(len(t)) + 0.1 * np.sin(2 * math.pi * SPEED * t)
        if self.knock:
            hertz = BEARING.lines(SPEED)["bpfo"]
            phase = (t * hertz) % 1
            wave = wave + self.knock * np.exp(-phase / hertz * 500) * np.sin(2 * math.pi * 500 * phase / hertz)
        self.energy += 0.001
        end = self.now_ns + SECOND
        slow = (60 + 0.2 * self.rng.standard_normal(), 8 + 0.05 * self.rng.standard_normal(), 0.0, self.energy)
        return [
            Block(VIBRATION, self.now_ns, wave, RATE),
            *(Block(channel, end, np.array([value])) for channel, value in zip(CHANNELS[1:], slow, strict=True)),
        ]

    def tick(self, blocks: Sequence[Block] | None = None, error: str | None = None) -> Step:
        blocks = self.blocks() if blocks is None else blocks
        self.now_ns += SECOND
        step = self.path.step(self.now_ns, [SensorReading("node", blocks, error)])
        self.findings.extend(step.findings)
        return step

    def run(self, ticks: int) -> Step:
        for _ in range(ticks):
            step = self.tick()
        return step


def test_a_breaking_bearing_from_block_to_finding() -> None:
    rig = Rig()
    rig.run(150)
    assert rig.findings == []
    rig.knock = 0.4
    rig.run(10)
    (opened,) = [finding for finding in rig.findings if finding.state == "open"]
    assert (opened.type, opened.cause) == ("machine", "bearing_outer")
    assert opened.causes[0].code == "bearing_outer"
    assert opened.severity in ("warning", "alarm")
    assert opened.regime == "running"
    assert opened.score is not None
    assert opened.limit is not None
    assert opened.score > opened.limit
    assert 0 < opened.since_ns <= rig.now_ns
    assert opened.evidence[0].feature.startswith("vibration.")
    assert opened.detail
    rig.knock = 0.0
    rig.run(60)
    assert rig.findings[-1].state == "cleared"
    assert {finding.id for finding in rig.findings} == {opened.id}


def test_series_hold_raw_slow_channels_and_features() -> None:
    step = Rig().run(12)
    assert step.series["temperature"].unit == "°C"
    assert len(step.series["temperature"].values) == 1
    assert step.series["vibration.velocity_rms"].unit == "mm/s"
    assert step.series["vibration.envelope_bpfo"].unit == "1"
    assert step.series["energy"].unit == "kWh"
    assert "vibration" not in step.series, "waveforms stay on the node"
    assert step.sample is not None
    assert "energy" not in step.sample.values, "a counter's level is no condition"
    assert step.sample.info["temperature"].quantity == "temperature"
    assert all(math.isfinite(v) for column in step.series.values() for v in column.values)


def test_changes_are_told_rarely() -> None:
    rig = Rig()
    rig.run(120)
    for k in range(120):
        rig.knock = 0.2 + 0.4 * (k % 2)
        rig.tick()
    assert len([finding for finding in rig.findings if finding.state == "open"]) == 1
    assert len([finding for finding in rig.findings if finding.state == "changed"]) <= 12


def test_a_broken_sensor_is_not_a_broken_machine() -> None:
    rig = Rig()
    rig.run(120)
    for _ in range(30):
        blocks = rig.blocks()
        stuck = [Block(VIBRATION, blocks[0].start_ns, np.full(int(RATE), 15.0), RATE), *blocks[1:]]
        step = rig.tick(stuck)
    (opened,) = rig.findings
    assert (opened.type, opened.cause, opened.channel) == ("sensor", Fault.STUCK.value, "vibration")
    assert step.sensor_faults["vibration"][0] is Fault.STUCK
    assert step.sample is not None
    assert not any(name.startswith("vibration") for name in step.sample.values)
    assert step.verdict is not None
    assert not step.verdict.alarm
    rig.run(20)
    assert [finding.state for finding in rig.findings] == ["open", "cleared"]


def test_a_dead_bus_is_told_for_each_channel_and_judged_by_none() -> None:
    rig = Rig()
    rig.run(80)
    for _ in range(15):
        step = rig.tick([], "i2c-1: no answer")
    assert {finding.channel for finding in rig.findings} == {channel.name for channel in CHANNELS}
    assert {finding.cause for finding in rig.findings} == {Fault.BUS.value}
    assert step.sample is None
    assert step.verdict is None
    rig.run(30)
    assert {finding.state for finding in rig.findings[-5:]} == {"cleared"}
    assert not any(finding.type == "machine" for finding in rig.findings)


def test_a_regular_channels_value_is_held_until_its_next_one_is_overdue() -> None:
    rig = Rig()
    rig.run(30)
    ages = {}
    for k in range(12):
        step = rig.tick(rig.blocks()[:1])
        assert step.sample is not None
        ages[k] = "temperature" in step.sample.values
    assert ages[0]
    assert not any(ages[k] for k in range(1, 12))


def test_paused_says_and_learns_nothing_and_ends_by_itself() -> None:
    rig = Rig()
    rig.run(120)
    rig.knock = 0.4
    rig.run(10)
    before = json.dumps(rig.path.snapshot()["model"])
    rig.path.pause(rig.now_ns + 20 * SECOND)
    steps = [rig.tick() for _ in range(19)]
    assert all(step.paused and step.verdict is None and step.sample is None for step in steps)
    assert [finding.state for finding in steps[0].findings] == ["cleared"]
    assert all(not step.findings for step in steps[1:])
    assert all(step.series for step in steps), "the values are still sent"
    assert json.dumps(rig.path.snapshot()["model"]) == before
    assert not rig.tick().paused
    rig.path.pause(None)
    assert rig.run(50).paused
    rig.path.resume()
    assert not rig.tick().paused


def test_a_word_reaches_the_model() -> None:
    rig = Rig()
    rig.run(120)
    rig.knock = 0.4
    rig.run(15)
    rig.path.hear(Word.FALSE_ALARM)
    rig.run(100)
    assert [finding.state for finding in rig.findings if finding.state != "changed"] == ["open", "cleared"]


def test_a_restart_goes_on_with_model_and_finding() -> None:
    rig = Rig()
    rig.run(120)
    rig.knock = 0.4
    rig.run(15)
    state = json.loads(json.dumps(rig.path.snapshot(), allow_nan=False))
    rig.path = MachinePath(rig.setup, CHANNELS, Condition())
    rig.path.restore(state)
    rig.run(10)
    rig.knock = 0.0
    rig.run(60)
    assert len({finding.id for finding in rig.findings}) == 1
    assert rig.findings[-1].state == "cleared"


@pytest.mark.parametrize(
    "state", [{}, {"version": 99}, {"version": 1}, {"version": 1, "model": {}, "checks": {}, "findings": {}}]
)
def test_foreign_snapshots_are_refused_and_change_nothing(state: dict[str, object]) -> None:
    rig = Rig()
    rig.run(5)
    model = rig.path.model
    with pytest.raises(ValueError, match="snapshot"):
        rig.path.restore(state)
    assert rig.path.model is model


def test_ids_do_not_repeat_over_restarts() -> None:
    ids = set()
    for boot in ("boot-1", "boot-2"):
        rig = Rig(boot=boot)
        for _ in range(40):
            rig.tick([])
        ids.update(finding.id for finding in rig.findings)
    assert len(ids) == 2 * len(CHANNELS)


def test_steps_faster_than_the_interval_are_collected() -> None:
    rig = Rig()
    judged = 0
    for _ in range(40):
        rig.now_ns -= round(0.75 * SECOND)
        judged += rig.tick(rig.blocks()[1:]).verdict is not None
    assert 15 <= judged <= 25


def test_axes_and_three_phases() -> None:
    vibration = Channel("head", "m/s²", Quantity.VIBRATION, -160, 160, axes=3, rate_hz=RATE)
    phases = Channel("mains", "A", Quantity.CURRENT, -60, 60, axes=3, rate_hz=1000.0)
    path = MachinePath(MachineSetup("oven"), [vibration, phases], Condition())
    rng = np.random.default_rng(0)
    angle = 2 * math.pi * (50 * np.arange(1000)[:, None] / 1000 + np.array([0, 1, 2]) / 3)
    readings = [
        SensorReading("a", [Block(vibration, 0, rng.standard_normal((1600, 3)), RATE)]),
        SensorReading("b", [Block(phases, 0, 10 * np.sin(angle), 1000.0)]),
    ]
    step = path.step(SECOND, readings)
    assert {"head.x.velocity_rms", "head.z.kurtosis", "mains.y.rms", "mains.unbalance"} <= set(step.series)
    assert step.series["mains.x.rms"].values[0] == pytest.approx(10 / math.sqrt(2), rel=1e-2)


def test_an_unannounced_channel_is_taken_in() -> None:
    path = MachinePath(MachineSetup("oven"), [], Condition())
    step = path.step(SECOND, [SensorReading("late", [Block(TEMPERATURE, SECOND, np.array([20.0]))])])
    assert step.sample is not None
    assert step.sample.values == {"temperature": 20.0}
