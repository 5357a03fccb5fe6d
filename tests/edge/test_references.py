"""A measured speed and declared set points: what they change, and what is wrong with them before anything starts."""

import math
from pathlib import Path

import numpy as np
import pytest
from support.nodes import write_node

from edge.config import check_machines, read_node
from edge.machine import MachinePath, MachineSetup, SensorReading, Step
from edge.references import LONGEST_S, References, SetPoint, Tachometer
from edge.sensors.base import Block, Channel, Quantity
from models.condition.contract import FeatureInfo
from models.condition.model import Condition
from models.condition.settings import Settings
from wire.clock import boottime_ns
from wire.settings import SettingsError

SECOND = 1_000_000_000
RATE = 1600.0
VIBRATION = Channel("vibration", "g", Quantity.VIBRATION, -16, 16, axes=3, rate_hz=RATE)
SPIRAL = Channel("spiral", "rpm", Quantity.SPEED, 0, 3000)
DECK = Channel("deck", "°C", Quantity.TEMPERATURE, 0, 400)
WANTED = Channel("wanted", "°C", Quantity.TEMPERATURE, 0, 400, steady=True)


class Machine:
    """A shaft whose vibration alone is too faint to tell its speed, or an oven."""

    def __init__(self, setup: MachineSetup) -> None:
        self.path = MachinePath(
            setup, [VIBRATION, SPIRAL, DECK, WANTED], Condition(Settings(warmup=30, kind=setup.kind))
        )
        self.seconds = 0
        self.rng = np.random.default_rng(3)

    def turning(self, shaft_hz: float, rpm: float | None) -> Step:
        t = self.seconds + np.arange(1600) / RATE
        noise = 0.05 * self.rng.standard_normal((1600, 3))
        blocks = [
            Block(VIBRATION, self.seconds * SECOND, noise + 0.02 * np.sin(2 * math.pi * shaft_hz * t)[:, None], RATE)
        ]
        if rpm is not None:
            blocks.append(Block(SPIRAL, self.seconds * SECOND, np.array([rpm])))
        return self._step(blocks)

    def heated(self, level: float, wanted: float) -> Step:
        return self._step(
            [Block(c, self.seconds * SECOND, np.array([v])) for c, v in ((DECK, level), (WANTED, wanted))]
        )

    def _step(self, blocks: list[Block]) -> Step:
        self.seconds += 1
        return self.path.step(self.seconds * SECOND, [SensorReading("s", blocks)])


def told(step: Step) -> float | None:
    column = step.series.get("vibration.running_speed")
    return column.values[0] if column is not None else None


def test_orders_follow_the_tachometer_through_its_ratio_and_keep_their_place_while_the_shaft_stands() -> None:
    machine = Machine(MachineSetup("m", tachometer=Tachometer("spiral", 7.5)))
    assert told(machine.turning(24.0, None)) is None
    for rpm, running in ((192.0, 24.0), (160.0, 20.0), (0.0, 20.0), (200.0, 25.0)):
        step = machine.turning(running if rpm else 0.0, rpm)
        assert told(step) == pytest.approx(60 * running, rel=1e-3)
        if rpm:
            assert step.series["vibration.x.order_1"].values[0] == pytest.approx(0.02, abs=0.01)


def test_without_a_sound_reading_the_rated_speed_counts() -> None:
    machine = Machine(MachineSetup("m", running_speed_hz=24.6, tachometer=Tachometer("spiral", 7.5)))
    assert told(machine.turning(24.0, None)) == pytest.approx(60 * 24.6, rel=0.04), "it has not spoken yet"
    for _ in range(5):
        assert told(machine.turning(20.0, 160.0)) == pytest.approx(60 * 20.0, rel=1e-3)
    for _ in range(3):
        step = machine.turning(20.0, 99_999.0)
    assert "spiral" in step.sensor_faults
    assert told(step) == pytest.approx(60 * 24.6, rel=0.04)


def test_a_fixed_set_point_is_a_sign_and_a_delivered_one_is_judged_instead_of_the_level() -> None:
    fixed = Machine(MachineSetup("m", set_points=(SetPoint("deck", 230.0),))).heated(226.0, 230.0).sample
    assert fixed is not None
    assert fixed.values["deck.distance"] == pytest.approx(-4.0)
    assert (fixed.info["deck.distance"].scored, fixed.info["deck"].scored) == (False, True)
    moving = Machine(MachineSetup("m", set_points=(SetPoint("deck", source="wanted"),))).heated(186.0, 190.0).sample
    assert moving is not None
    assert moving.values["deck.distance"] == pytest.approx(-4.0)
    assert [moving.info[name].scored for name in ("deck.distance", "deck", "wanted")] == [True, False, False]


def test_who_turns_the_set_point_up_is_no_fault_and_who_falls_behind_it_is() -> None:
    machine = Machine(MachineSetup("m", "oven", set_points=(SetPoint("deck", source="wanted"),)))
    level = 200.0

    def go(wanted: float, reached: float, seconds: int) -> list[Step]:
        nonlocal level
        steps = []
        for _ in range(seconds):
            level += (reached - level) / 60.0
            steps.append(machine.heated(level + 0.5 * float(machine.rng.standard_normal()), wanted))
        return steps

    for wanted in (200.0, 230.0, 180.0):
        steps = go(wanted, wanted, 400)
        assert all(step.verdict is not None and not step.verdict.alarm for step in steps)
        told = [step.sample is not None and "deck.distance" in step.sample.values for step in steps]
        assert told[-1]
        assert all(told) == (wanted == 200.0), "on its way there is nothing to be said of the distance"
    last = go(180.0, 170.0, 200)[-1]
    assert last.verdict is not None
    assert last.verdict.alarm
    assert last.verdict.deviations[0].feature == "deck.distance"
    assert last.explanation is not None
    assert last.explanation.causes[0].code == "thermostat_drift", "the set point is no other temperature that stays"


def test_who_never_reaches_a_new_set_point_is_judged_after_ten_minutes() -> None:
    machine = Machine(MachineSetup("m", set_points=(SetPoint("deck", source="wanted"),)))
    for _ in range(60):
        machine.heated(200.0 + 0.5 * float(machine.rng.standard_normal()), 200.0)
    for second in range(700):
        step = machine.heated(203.0 + 0.5 * float(machine.rng.standard_normal()), 230.0)
        assert step.sample is not None
        assert 600 <= second <= 650 or ("deck.distance" in step.sample.values) == (second > 650), second


@pytest.mark.parametrize(
    ("apart", "after_s"),
    [(0.1, 0), (1.0, 0), (6.0, 900), (24.0, LONGEST_S + 100)],
    ids=["last digit", "whole degrees", "a loose knob", "wildly"],
)
def test_a_set_point_that_flickers_hides_no_element_that_failed(apart: float, after_s: float) -> None:
    references = References(set_points=(SetPoint("deck", source="wanted"),))

    def tell(second: int, level: float) -> bool:
        info = {name: FeatureInfo("°C", name, "temperature") for name in ("deck", "wanted")}
        wanted = 230.0 + apart * (second % 2)
        return "deck.distance" in references.distances(float(second), {"deck": level, "wanted": wanted}, info)

    for second in range(100):
        tell(second, 230.0 + apart / 2)
    told = [tell(second, max(230.0 - 0.1 * (second - 100), 200.0)) for second in range(100, 100 + int(after_s) + 1000)]
    assert all(told[int(after_s) :])
    assert after_s or all(told)


def test_an_element_that_failed_is_told_though_the_read_back_flickers() -> None:
    machine = Machine(MachineSetup("m", set_points=(SetPoint("deck", source="wanted"),)))

    def go(level: float, seconds: int) -> list[Step]:
        return [
            machine.heated(level + 0.5 * float(machine.rng.standard_normal()), 230.0 + 0.1 * (second % 2))
            for second in range(seconds)
        ]

    assert not any(step.verdict is not None and step.verdict.alarm for step in go(230.0, 400))
    verdict = go(200.0, 200)[-1].verdict
    assert verdict is not None
    assert verdict.alarm
    assert verdict.deviations[0].feature == "deck.distance"


def test_a_turned_knob_counts_from_cold_and_by_small_steps() -> None:
    references = References(set_points=(SetPoint("deck", source="wanted"),))

    def tell(second: int, level: float, wanted: float) -> bool:
        info = {name: FeatureInfo("°C", name, "temperature") for name in ("deck", "wanted")}
        return "deck.distance" in references.distances(float(second), {"deck": level, "wanted": wanted}, info)

    assert tell(0, 20.0, 230.0), "it was never seen to be moved"
    heating = [tell(second, 20.0 + second / 20.0, 232.0) for second in range(1, 4000)]
    assert not any(heating)
    settling = [tell(second, 232.0, 232.0) for second in range(4000, 4700)]
    assert not any(settling[:500])
    assert all(settling[600:])
    creeping = [tell(4700 + second, 232.0, 232.0 + 0.1 * second) for second in range(100)]
    assert all(creeping[:11])
    assert not any(creeping[11:]), "each step is small, together they are a move"


MACHINE = """
[[machine]]
name = "oven"
kind = "{kind}"
{extra}
[[machine.sensor]]
type = "simulated"
"""


@pytest.mark.parametrize(
    ("kind", "extra", "said"),
    [
        ("mixer", '[machine.tachometer]\nchannel = "spiral_sped"', "machine 1, tachometer.channel: no sensor of this"),
        ("mixer", '[machine.tachometer]\nchannel = "spiral_sped"', "did you mean spiral_speed?"),
        ("mixer", '[machine.tachometer]\nchannel = "motor_current"', "motor_current measures current, not speed"),
        ("mixer", '[machine.tachometer]\nchannel = "spiral_speed"\nratio = 0', "machine 1, tachometer.ratio"),
        ("oven", '[[machine.set_point]]\nchannel = "deck_temperature"', "either value or source must be given"),
        ("oven", '[[machine.set_point]]\nchannel = "power"\nvalue = 1', "power measures power, not temperature"),
        ("oven", '[[machine.set_point]]\nchannel = "air_temperature"\nsource = "x"', "machine 1, set_point 1, source"),
        ("oven", 2 * '[[machine.set_point]]\nchannel = "air_temperature"\nvalue = 1\n', "already"),
    ],
)
def test_a_mistake_is_named_before_anything_starts(tmp_path: Path, kind: str, extra: str, said: str) -> None:
    file = write_node(tmp_path, more=MACHINE.format(kind=kind, extra=extra))
    with pytest.raises(SettingsError) as caught:
        check_machines(read_node(file), boottime_ns, origin="sense")
    assert said in str(caught.value)


def test_the_example_of_the_manual_is_a_good_configuration(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text(encoding="utf-8")
    example = page.partition("## Speed and set points")[2].partition("```toml\n")[2].partition("```")[0]
    file = write_node(tmp_path, more=f'[[machine]]\nname = "oven"\nkind = "oven"\n{example}')
    check_machines(config := read_node(file), boottime_ns, origin="sense")
    machine = config.options.machines[0]
    assert machine.tachometer is not None
    assert machine.tachometer.made() == Tachometer("motor_speed", 0.5)
    assert machine.set_points[0].made() == SetPoint("chamber", source="chamber_set")
