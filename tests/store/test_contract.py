"""What every store promises, against every store."""

from __future__ import annotations

import math
import random
import time

import pytest
from support.messages import SECOND, Node
from support.stores import Place

from gateway.store.base import Chart, Record, SeriesKey
from gateway.store.window import window
from wire.messages import Severity

NOW = time.time_ns() // (600 * SECOND) * 600 * SECOND
T0 = NOW - 7200 * SECOND
"""Two hours ago on a whole ten minutes: recent, because servers list only recent series."""


@pytest.fixture
def node(place: Place) -> Node:
    return Node(place.site)


def key(node: Node, channel: str, machine: str = "oven") -> SeriesKey:
    return SeriesKey(node.site, node.node, machine, channel)


def read(place: Place, wanted: SeriesKey, start_ns: int, end_ns: int, points: int = 600) -> Chart:
    place.settle()
    return place.store.read(wanted, start_ns, end_ns, points)


def rows(chart: Chart) -> list[tuple[int, float, float, float]]:
    return list(zip(chart.times_ns, chart.mean, chart.low, chart.high, strict=True))


def test_values_come_back_at_their_times(place: Place, node: Node) -> None:
    report = place.store.write([Record(1, node.telemetry(T0, {"temp": [180.5, 181.0, 179.25], "door": [0, 1, 0]}))])
    assert (report.points, report.rejected) == (6, ())
    chart = read(place, key(node, "temp"), T0, T0 + 10 * SECOND)
    assert chart.key == key(node, "temp")
    assert chart.unit == "°C"
    assert rows(chart) == [
        (T0, 180.5, 180.5, 180.5),
        (T0 + SECOND, 181.0, 181.0, 181.0),
        (T0 + 2 * SECOND, 179.25, 179.25, 179.25),
    ]
    assert read(place, key(node, "door"), T0, T0 + 10 * SECOND).mean == [0.0, 1.0, 0.0]


def test_missing_values_are_absent(place: Place, node: Node) -> None:
    message = node.telemetry(T0, {"temp": [None, 7.5, None], "gone": [None]}, at_ms=None)
    assert place.store.write([Record(1, message)]).points == 1
    assert rows(read(place, key(node, "temp"), T0, T0 + 10 * SECOND)) == [(T0 + SECOND, 7.5, 7.5, 7.5)]
    assert rows(read(place, key(node, "gone"), T0, T0 + 10 * SECOND)) == []


def test_uneven_times(place: Place, node: Node) -> None:
    place.store.write([Record(1, node.telemetry(T0, {"temp": [1.0, 2.0, 3.0]}, at_ms=[-2500.0, -40.0, 0.0]))])
    chart = read(place, key(node, "temp"), T0 - 3 * SECOND, T0 + SECOND, 400)
    assert list(zip(chart.times_ns, chart.mean, strict=True)) == [
        (T0 - 2_500_000_000, 1.0),
        (T0 - 40_000_000, 2.0),
        (T0, 3.0),
    ]


def test_buckets_hold_mean_low_and_high(place: Place, node: Node) -> None:
    values = [float(index % 60) for index in range(3600)]
    place.store.write([Record(1, node.telemetry(T0, {"temp": values}))])
    chart = read(place, key(node, "temp"), T0, T0 + 3600 * SECOND, 60)
    assert chart.times_ns == [T0 + minute * 60 * SECOND for minute in range(60)]
    assert chart.low == [0.0] * 60
    assert chart.high == [59.0] * 60
    assert chart.mean == pytest.approx([29.5] * 60)


def test_first_and_last_bucket_are_whole(place: Place, node: Node) -> None:
    place.store.write([Record(1, node.telemetry(T0, {"temp": [1.0] * 30 + [5.0] * 90}))])
    chart = read(place, key(node, "temp"), T0 + 20 * SECOND, T0 + 110 * SECOND, 2)
    assert chart.times_ns == [T0, T0 + 60 * SECOND]
    assert chart.mean == pytest.approx([3.0, 5.0])
    assert chart.low == [1.0, 5.0]


@pytest.mark.parametrize("most", [1, 2, 7, 100, 600])
def test_never_more_points_than_asked_for(place: Place, node: Node, most: int) -> None:
    place.store.write([Record(1, node.telemetry(T0 + 7, {"temp": [float(n) for n in range(1000)]}))])
    chart = read(place, key(node, "temp"), T0 + 11 * SECOND, T0 + 977 * SECOND, most)
    assert 1 <= len(chart.times_ns) <= most
    assert set(chart.times_ns) <= {
        view.first_ns + index * view.step_ns
        for view in [window(T0 + 11 * SECOND, T0 + 977 * SECOND, most)]
        for index in range(view.buckets)
    }


def test_unknown_series_and_empty_range(place: Place, node: Node) -> None:
    place.store.write([Record(1, node.telemetry(T0, {"temp": [1.0]}))])
    for wanted in (key(node, "other"), key(node, "temp", "mixer"), key(node, "condition.score")):
        assert rows(read(place, wanted, T0, T0 + SECOND)) == []
    assert rows(read(place, key(node, "temp"), T0 + 60 * SECOND, T0 + 120 * SECOND)) == []
    with pytest.raises(ValueError, match="no range"):
        place.store.read(key(node, "temp"), T0, T0)


def test_writing_again_changes_nothing(place: Place, node: Node) -> None:
    records = [
        Record(position, node.telemetry(T0 + position * 10 * SECOND, {"temp": [float(position)] * 10}))
        for position in range(1, 21)
    ]
    place.store.write(records)
    before = rows(read(place, key(node, "temp"), T0, T0 + 300 * SECOND, 50))
    draw = random.Random(1)  # noqa: S311 - repeatable on purpose
    for _ in range(5):
        start = draw.randrange(20)
        place.store.write(records[start : start + draw.randrange(1, 20)])
    place.store.write(records)
    assert rows(read(place, key(node, "temp"), T0, T0 + 300 * SECOND, 50)) == before
    assert len(before) >= 20


def test_nodes_machines_and_channels_do_not_mix(place: Place) -> None:
    nodes = [Node(place.site, "a"), Node(place.site, "b")]
    wanted: dict[SeriesKey, float] = {}
    records: list[Record] = []
    for node in nodes:
        for machine in ("oven", "mixer"):
            for channel in ("temp", "temp.mean", "vibration.velocity_rms"):
                wanted[key(node, channel, machine)] = float(len(wanted))
                message = node.telemetry(T0, {channel: [wanted[key(node, channel, machine)]]}, machine=machine)
                records.append(Record(len(records) + 1, message))
    place.store.write(records)
    for series, value in wanted.items():
        assert read(place, series, T0, T0 + SECOND).mean == [value]
    assert {series for series, _ in place.store.series() if series.site == place.site} == set(wanted)


def test_conditions_are_series(place: Place, node: Node) -> None:
    place.store.write(
        [
            Record(1, node.condition(T0, 0.5, None)),
            Record(2, node.condition(T0 + SECOND, 5.5, 4.25, severity=Severity.ALARM)),
        ]
    )
    assert read(place, key(node, "condition.score"), T0, T0 + 5 * SECOND).mean == [0.5, 5.5]
    assert rows(read(place, key(node, "condition.limit"), T0, T0 + 5 * SECOND)) == [(T0 + SECOND, 4.25, 4.25, 4.25)]
    assert read(place, key(node, "condition.severity"), T0, T0 + 5 * SECOND).high == [0.0, 3.0]
    assert read(place, key(node, "condition.learned"), T0, T0 + 5 * SECOND).low == [1.0, 1.0]
    names = {series.channel for series, _ in place.store.series() if series.site == place.site}
    assert {"condition.score", "condition.limit", "condition.severity"} <= names


def test_regimes_are_texts_where_there_are_texts(place: Place, node: Node) -> None:
    regimes = ["off", "off", "heating", "heating", "loaded", "off"]
    place.store.write(
        [Record(n + 1, node.condition(T0 + n * SECOND, regime=regime)) for n, regime in enumerate(regimes)]
    )
    if not place.texts:
        pytest.skip(f"{place.name} has no texts")
    found = place.store.texts(key(node, "condition.regime"), T0, T0 + 60 * SECOND)  # type: ignore[attr-defined]
    assert list(found) == [
        (T0, "off"),
        (T0 + 2 * SECOND, "heating"),
        (T0 + 4 * SECOND, "loaded"),
        (T0 + 5 * SECOND, "off"),
    ]


def test_inspections_and_health_are_series(place: Place, node: Node) -> None:
    place.store.write([Record(1, node.inspection(T0, 9, 2)), Record(2, node.health(T0))])
    assert read(place, key(node, "inspection.items"), T0, T0 + SECOND).mean == [11.0]
    assert read(place, key(node, "inspection.rejects"), T0, T0 + SECOND).mean == [2.0]
    chart = read(place, key(node, "health.sense.cpu_temperature", "node"), T0, T0 + SECOND)
    assert (chart.mean, chart.unit) == ([51.5], "°C")
    assert read(place, key(node, "health.sense.journal_backlog", "node"), T0, T0 + SECOND).mean == [9.0]


def test_units_of_any_kind(place: Place, node: Node) -> None:
    units = {"plain": "mm/s", "percent": "%", "odd": 'a,b=c "d"', "none": "", "greek": "µΩ·m²"}
    place.store.write(
        [
            Record(position, node.telemetry(T0, {channel: [1.5]}, unit=unit))
            for position, (channel, unit) in enumerate(units.items(), 1)
        ]
    )
    assert {channel: read(place, key(node, channel), T0, T0 + SECOND).unit for channel in units} == units
    listed = {series.channel: unit for series, unit in place.store.series() if series.site == place.site}
    assert listed == units


def test_after_a_change_of_unit_the_latest_counts(place: Place, node: Node) -> None:
    place.store.write([Record(1, node.telemetry(T0, {"temp": [70.0]}, unit="°F"))])
    place.store.write([Record(2, node.telemetry(T0 + SECOND, {"temp": [21.0]}, unit="°C"))])
    chart = read(place, key(node, "temp"), T0, T0 + 10 * SECOND)
    assert (chart.unit, chart.mean) == ("°C", [21.0])


def test_extreme_numbers(place: Place, node: Node) -> None:
    # A channel each: VictoriaMetrics keeps eighteen digits of the largest of a channel's neighbours.
    numbers = [0.0, -0.0, 1e-300, -1e300, 1e16, 123456789.12345679, 1 / 3, 1.7976931348623157e308]
    columns = {f"n{index}": [number] for index, number in enumerate(numbers)}
    place.store.write([Record(1, node.telemetry(T0, columns))])
    for channel, [number] in columns.items():
        [got] = read(place, key(node, channel), T0, T0 + SECOND).mean
        assert math.isclose(got, number, rel_tol=1e-12)


def test_nothing_to_write(place: Place, node: Node) -> None:
    assert place.store.write([]).points == 0
    assert place.store.write([Record(1, node.telemetry(T0, {}))]).points == 0


def test_opened_again_it_still_has_everything(place: Place, node: Node) -> None:
    from gateway.store.registry import open_store  # noqa: PLC0415 - only this test opens one itself

    place.store.write([Record(1, node.telemetry(T0, {"temp": [1.0, 2.0]}))])
    place.store.close()
    again = open_store(place.config)
    place.settle()
    try:
        assert again.read(key(node, "temp"), T0, T0 + 5 * SECOND).mean == [1.0, 2.0]
    finally:
        again.close()
