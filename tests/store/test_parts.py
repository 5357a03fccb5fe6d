"""The pure parts of the stores: chunks, buckets, windows, lines, latencies."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.messages import T0, Node

from gateway.store import points, rollup, staging
from gateway.store.chunks import ChunkError, pack_floats, pack_ints, unpack_floats, unpack_ints
from gateway.store.latency import Latency
from gateway.store.lines import Lines, escape_tag
from gateway.store.naming import locate, named
from gateway.store.window import window
from wire.codec import Codec, Refused
from wire.messages import Severity

INT64 = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=60)
@given(st.lists(INT64, max_size=50))
def test_packed_integers_come_back(values: list[int]) -> None:
    assert unpack_ints(pack_ints(np.array(values, np.int64))).tolist() == values


@settings(deadline=None, max_examples=60)
@given(st.lists(FINITE, max_size=60))
@example([0.0, -0.0])
@example([5e-324, 1.7976931348623157e308])
def test_exact_numbers_come_back_bit_by_bit(values: list[float]) -> None:
    got = unpack_floats(pack_floats(np.array(values, np.float64), exact=True))
    assert np.array_equal(got, np.array(values, np.float64))


@settings(deadline=None, max_examples=60)
@given(st.lists(FINITE, min_size=1, max_size=60))
@example([1e300, 1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 7.25, 8.0, 9.0])
def test_rounding_stays_far_below_the_noise(values: list[float]) -> None:
    sent = np.array(values, np.float64)
    got = unpack_floats(pack_floats(sent))
    with np.errstate(over="ignore"):
        changes = np.abs(np.diff(sent))
    changes = changes[(changes > 0) & np.isfinite(changes)]
    low, high = np.quantile(sent / 262_144, (0.01, 0.99))
    allowed = max(np.quantile(changes, 0.1) / 8, high - low) if len(changes) else 0.0
    assert np.abs(got - sent).max() <= allowed


@settings(deadline=None, max_examples=60)
@given(st.lists(st.decimals(-10_000, 10_000, places=3), min_size=1, max_size=50))
def test_decimals_are_exact(values: list[object]) -> None:
    sent = np.array([float(str(value)) for value in values])
    assert np.array_equal(unpack_floats(pack_floats(sent)), sent)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60))
def test_rubbish_is_no_chunk(rubbish: bytes) -> None:
    for unpack in (unpack_ints, unpack_floats, rollup.unpack):
        try:
            unpack(rubbish)
        except ChunkError:
            continue
        assert rubbish[:1] in {b"\x00", b"\x01"} or len(rubbish) >= 9, (
            "only what says that it is empty, or a whole stream"
        )


def test_an_hour_of_noise_takes_about_a_byte_a_value() -> None:
    draw = np.random.default_rng(1)
    assert len(pack_floats(5 + 0.05 * draw.standard_normal(3600))) < 1.1 * 3600
    assert len(pack_floats(np.full(3600, 0.1234567890123))) < 200
    assert len(pack_ints(T0 // 10**6 + 1000 * np.arange(3600))) < 60


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(-1000, 1000)), min_size=1, max_size=80),
    st.sampled_from([1000, 60_000, 900_000]),
)
def test_rolled_up_in_pieces_or_at_once_is_the_same(samples: list[tuple[int, int]], step_ms: int) -> None:
    times = np.array([time for time, _ in samples], np.int64)
    values = np.array([value for _, value in samples], np.float64)
    at_once = rollup.rolled(rollup.single(times, values), step_ms)
    half = len(samples) // 2
    pieces = [rollup.single(times[:half], values[:half]), rollup.single(times[half:], values[half:])]
    in_pieces = rollup.rolled(rollup.join([rollup.rolled(piece, 1000) for piece in pieces]), step_ms)
    assert (
        at_once.start_ms.tolist()
        == in_pieces.start_ms.tolist()
        == sorted({time // step_ms * step_ms for time in times})
    )
    assert at_once.number.tolist() == in_pieces.number.tolist()
    assert at_once.number.sum() == len(samples)
    assert np.allclose(at_once.mean, in_pieces.mean)
    assert np.array_equal(at_once.low, in_pieces.low)
    assert np.array_equal(at_once.high, in_pieces.high)
    packed = rollup.unpack(rollup.pack(at_once, exact=True))
    assert all(np.array_equal(one, other) for one, other in zip(packed, at_once, strict=True))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 4 * 10**18), st.integers(1, 2 * 10**17), st.integers(1, 5000))
def test_windows_cover_their_range(start_ns: int, length_ns: int, most: int) -> None:
    view = window(start_ns, start_ns + length_ns, most)
    assert 1 <= view.buckets <= most
    assert view.first_ns % view.step_ns == 0
    assert view.first_ns <= start_ns < view.first_ns + view.step_ns
    assert view.end_ns - view.step_ns < start_ns + length_ns <= view.end_ns


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.lists(st.tuples(st.integers(0, 2**62), FINITE), min_size=1, max_size=40)),
        max_size=6,
        unique_by=lambda pair: pair[0],
    )
)
def test_staged_points_come_back(columns: list[tuple[int, list[tuple[int, float]]]]) -> None:
    row = staging.encode([(series, [t for t, _ in pairs], [v for _, v in pairs]) for series, pairs in columns])
    flat = [(series, time // 10**6, value) for series, pairs in columns for time, value in pairs]
    got = staging.decode([row, row])
    assert list(zip(got.ids.tolist(), got.times_ms.tolist(), got.values.tolist(), strict=True)) == flat + flat
    for series, _ in columns:
        one = staging.decode([row], series)
        assert one.values.tolist() == [value for name, _, value in flat if name == series]


LINE = re.compile(
    r"""^[a-z]+(,[a-z]+=(\\[,= ]|[^,=\s\\])+)+
    \ [a-z_]+=(-?[0-9.e+-]+i?|"[^"\\\n]*")(,[a-z_]+=(-?[0-9.e+-]+i?|"[^"\\\n]*"))*
    \ [0-9]{19}$""",
    re.VERBOSE,
)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=16), st.lists(FINITE, min_size=1, max_size=5))
@example("°C, a=b", [1e-7, 1e300])
def test_every_line_is_line_protocol(unit: str, values: list[float]) -> None:
    node = Node()
    codec = Codec()
    try:
        message = codec.decode(codec.encode(node.telemetry(T0, {"temp": values}, unit=unit)), now_ns=T0)
    except (Refused, UnicodeEncodeError):
        return
    lines, unfit = Lines().of(message)
    assert len(lines) == (0 if unfit else len(values))
    assert all("\n" not in line and "\r" not in line for line in lines)
    for line, value in zip(lines, values, strict=False):
        assert re.search(r"(?<!\\) value=", line)
        assert float(line.rpartition(" ")[0].rpartition("value=")[2]) == value


def test_lines_of_every_kind() -> None:
    node = Node()
    lines = Lines()
    messages = [
        node.condition(T0, 2.0, None, severity=Severity.WATCH),
        node.condition(T0, 2.0, 3.5),
        node.inspection(T0, 3, 1),
        node.health(T0, None),
    ]
    [[learning], [known], [tray], [board]] = [lines.of(message).lines for message in messages]
    head = "condition,machine=oven,node=oven-pi,site=bakery"
    assert learning == f'{head} score=2.0,severity=1i,learned=1.0,paused=0i,regime="heating" {T0}'
    assert known == f'{head} score=2.0,limit=3.5,severity=0i,learned=1.0,paused=0i,regime="heating" {T0}'
    assert tray.endswith(f'items=4i,rejects=1i,unsure=0i,batch="monday" {T0}')
    assert "cpu_temperature" not in board
    assert all(LINE.match(line) for line in (learning, known, tray, board))


def test_escaping() -> None:
    assert escape_tag("a b,c=d") == r"a\ b\,c\=d"
    for bad in ("a\\", "a\nb", "\x00", "a\\,b"):
        with pytest.raises(ValueError, match="cannot hold"):
            escape_tag(bad)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"at_ms": [1e303]}, "calendar"),
        ({"at_ms": [1e300]}, "2116"),
        ({"at_ms": [-1e18]}, "2024"),
        ({"at_ms": [3e15]}, "2116"),
    ],
)
def test_times_that_no_store_can_hold_are_set_apart(options: dict[str, list[float]], reason: str) -> None:
    found = points.of(Node().telemetry(T0, {"temp": [1.0]}, **options))  # type: ignore[arg-type]
    assert not found.columns
    assert reason in found.unfit[0].reason


def test_steps_that_are_odd_are_still_times() -> None:
    node = Node()
    for step in (0.0, -1.0, 0.1, 1 / 3, 1e-9, 1000.0):
        [column] = points.of(node.telemetry(T0, {"temp": [1.0, 2.0, 3.0]}, step_ms=step)).columns
        assert list(column.times_ns) == [T0 + round(index * step * 1e6) for index in range(3)]


def test_keys_are_found_again() -> None:
    node = Node()
    for message in (
        node.telemetry(T0, {"temp": [1.0]}),
        node.condition(T0),
        node.inspection(T0, 1, 0),
        node.health(T0),
    ):
        for column in points.of(message).columns:
            key = points_key(node, column)
            measurement, field, tags = locate(key)
            back = named(measurement, (field,), {**tags, "unit": column.unit})
            assert back == [(key, column.unit)]


def points_key(node: Node, column: points.Column) -> object:
    from gateway.store.base import SeriesKey  # noqa: PLC0415 - a helper of one test

    return SeriesKey(node.site, node.node, column.machine, column.channel)


def test_latency_counts() -> None:
    latency = Latency()
    assert latency.quantile(0.5) is None
    for milliseconds in range(1, 1001):
        latency.add(milliseconds / 1000)
    latency.add(-5.0)
    latency.add(1e9)
    assert latency.number == 1002
    assert latency.quantile(0.5) == pytest.approx(0.5, rel=0.2)
    assert latency.quantile(0.99) == pytest.approx(0.99, rel=0.2)
    assert latency.quantile(1.0) == math.inf
    assert latency.cumulative()[-1] == (math.inf, 1002)
    assert [count for _, count in latency.cumulative()] == sorted(count for _, count in latency.cumulative())
