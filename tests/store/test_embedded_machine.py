"""The embedded store against a dictionary: whatever is written, written again, packed, reopened, in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.messages import SECOND, T0, Node

from gateway.store.base import Record, SeriesKey
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import EmbeddedStore

HOUR = 3600 * SECOND
VALUES = st.lists(st.none() | st.integers(-1000, 1000).map(lambda n: n / 8), max_size=4)


class Embedded(RuleBasedStateMachine):
    """Two nodes that send; a model that remembers every point."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.nodes = [Node(node="a"), Node(node="b")]
        self.now = T0
        self.records: list[Record] = []
        self.points: dict[SeriesKey, dict[int, float]] = {}
        self.open()

    def open(self) -> None:
        self.store = EmbeddedStore(EmbeddedConfig(dir=self.folder, exact=True), wall_ns=lambda: self.now)

    @rule(
        node=st.integers(0, 1),
        step_s=st.integers(5, 2000),
        columns=st.dictionaries(st.sampled_from(["x", "y"]), VALUES, max_size=2),
        machine=st.sampled_from(["oven", "mixer"]),
    )
    def send(self, node: int, step_s: int, columns: dict[str, list[float | None]], machine: str) -> None:
        self.now += step_s * SECOND
        sender = self.nodes[node]
        message = sender.telemetry(self.now, columns, machine=machine)
        record = Record(len(self.records) + 1, message)
        self.records.append(record)
        expected = 0
        for channel, values in columns.items():
            series = self.points.setdefault(SeriesKey("bakery", sender.node, machine, channel), {})
            for index, value in enumerate(values):
                if value is not None:
                    series[self.now + index * SECOND] = value
                    expected += 1
        assert self.store.write([record]).points == expected
        assert self.store.resume_after == record.position

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(self.records) - 1))
        assert self.store.write(self.records[start:]).points == 0

    @rule()
    def pack(self) -> None:
        self.store.pack_now()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def charts_hold_every_point_once(self) -> None:
        for key, series in getattr(self, "points", {}).items():
            if not series:
                continue
            first, last = min(series), max(series)
            if last - first < 50_000 * SECOND:
                chart = self.store.read(key, first, last + 1, 60_000)
                assert dict(zip(chart.times_ns, chart.mean, strict=True)) == series
            [low, high] = (self.store.read(key, first, last + 1, 1).low, self.store.read(key, first, last + 1, 1).high)
            assert (low, high) == ([min(series.values())], [max(series.values())])

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


TestEmbedded = Embedded.TestCase
TestEmbedded.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
