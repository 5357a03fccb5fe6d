"""From a machine's options to its path: what a snapshot knows, judged by the present configuration."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.config import MachineOptions, NodeOptions
from edge.machine import MachinePath, MachineSetup
from edge.path_maker import PathMaker
from models.condition.contract import FeatureInfo, Sample
from models.condition.model import Condition
from werkpuls import score
from werkpuls.words import Words
from wire.settings import load

INFO = {name: FeatureInfo("°C", name, "temperature") for name in ("deck", "air")}


def maker(**options: Any) -> PathMaker:
    given = {"name": "oven", "warmup_s": 60.0, "sensor": [{"type": "host"}], **options}
    return PathMaker(msgspec.convert(given, MachineOptions), "boot")


def sample(at: int, rng: np.random.Generator) -> Sample:
    return Sample(float(at), {name: float(200.0 + rng.standard_normal()) for name in INFO}, INFO)


@pytest.fixture
def learned() -> Mapping[str, Any]:
    """The snapshot of a machine that was told nothing of how many false alarms it may raise."""
    path, rng = maker()([], None), np.random.default_rng(3)
    for at in range(300):
        verdict = path.model.score(now := sample(at, rng))
        path.model.learn(now, verdict)
    return path.snapshot()


def farthest(path: MachinePath) -> float:
    """The largest score of what is a little odd."""
    rng = np.random.default_rng(4)
    for at in range(300, 330):
        path.model.score(sample(at, rng))
    return path.model.score(Sample(330.0, {"deck": 206.0, "air": 200.0}, INFO)).score


def test_who_changes_the_false_alarms_changes_the_limits_of_a_learned_machine(learned: Mapping[str, Any]) -> None:
    few, some, many = (farthest(maker(false_alarms_per_month=wanted)([], learned)) for wanted in (0.01, 10.0, 1000.0))
    assert many > 1.05 * some
    assert some > 1.05 * few


def test_who_changes_nothing_has_the_machine_as_it_was(learned: Mapping[str, Any]) -> None:
    assert maker()([], learned).snapshot() == learned


def test_other_settings_are_kept_with_the_next_snapshot(learned: Mapping[str, Any]) -> None:
    path = maker(warmup_s=600.0, kind="oven", false_alarms_per_month=10.0)([], learned)
    again = maker(warmup_s=600.0, kind="oven", false_alarms_per_month=10.0)([], path.snapshot())
    assert isinstance(again.model, Condition)
    assert (again.model.settings.warmup, again.model.settings.kind) == (600, "oven")
    assert again.model.learned == 1.0
    assert farthest(again) == pytest.approx(farthest(path))


FULL = """
site = "bakery"
node = "oven-pi"
[mqtt]
host = "gateway.local"
tls = false
[[machine]]
name = "mixer"
kind = "mixer"
interval_s = 2.0
running_speed_rpm = 1440.0
gear_teeth = 23
iso_class = "II"
mains_hz = 60
[machine.bearing]
balls = 9
ball_mm = 7.94
pitch_mm = 39.04
contact_deg = 5.0
[machine.tachometer]
channel = "shaft"
ratio = 2.0
[[machine.set_point]]
channel = "oil"
value = 60.0
[[machine.sensor]]
type = "host"
"""


def test_what_is_known_of_a_machine_is_the_same_on_the_node_and_where_recordings_are_scored(tmp_path: Path) -> None:
    node = tmp_path / "node.toml"
    node.write_text(FULL, encoding="utf-8")
    (machine,) = load(node, NodeOptions).machines
    setup = PathMaker(machine, "boot")([], None).setup
    parser = argparse.ArgumentParser()
    score.add_arguments(parser, Words("en"))
    scored = score.plan_of(parser.parse_args(["run.csv", "--node", str(node)]))
    assert scored.setup == replace(setup, boot="")
    usual = MachineSetup("other")
    same = [known.name for known in fields(MachineSetup) if getattr(setup, known.name) == getattr(usual, known.name)]
    assert same == [], "a field that is not in this configuration proves nothing"
