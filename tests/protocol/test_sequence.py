"""The protocol as a model: window and acceptance rule over a channel that loses, doubles, delays and forgets."""

from __future__ import annotations

from typing import NamedTuple

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.window import Window
from gateway.sequence import PATIENCE, LogState, Outcome, Sequence


class Sent(NamedTuple):
    seq: int
    prev: int


class Told(NamedTuple):
    seq: int
    resend: bool


class Protocol(RuleBasedStateMachine):
    """A node's journal and window, two unreliable channels, a gateway that may restart or be replaced."""

    @initialize(count=st.integers(1, 8), size_bytes=st.integers(1, 60))
    def begin(self, count: int, size_bytes: int) -> None:
        self.now = 0.0
        self.limits = (count, size_bytes)
        self.entries: list[int] = []
        self.next = 1
        self.position = 0
        self.evicted: set[int] = set()
        self.window = self._window()
        self.up: list[Sent] = []
        self.down: list[Told] = []
        self._new_gateway()

    def _window(self) -> Window:
        return Window(self.position, count=self.limits[0], size_bytes=self.limits[1], stall_s=10.0)

    def _new_gateway(self) -> None:
        self.sequence = Sequence(LogState(0), begun=False)
        self.sequence.begin(self.position, self.entries[0] if self.entries else 0)
        self.base = self.sequence.state.last
        self.stored: list[int] = []

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        self.entries += range(self.next, self.next + count)
        self.next += count

    @rule(place=st.integers(0, 30))
    @precondition(lambda self: len(self.entries) > 3)
    def evict(self, place: int) -> None:
        """The disk bound forces something out that need not be the oldest: events stay."""
        self.evicted.add(self.entries.pop(place % (len(self.entries) - 1)))

    @rule(count=st.integers(1, 10))
    def send(self, count: int) -> None:
        self.window.poll(self.now)
        for seq in [seq for seq in self.entries if seq > self.window.cursor][:count]:
            if self.window.room <= 0:
                return
            before = [entry for entry in self.entries if entry < seq]
            self.up.append(Sent(seq, before[-1] if before else 0))
            self.window.sent(seq, 20, self.now)

    @rule(count=st.integers(1, 10), drop=st.booleans(), double=st.booleans())
    def deliver_up(self, count: int, *, drop: bool, double: bool) -> None:
        for sent in self.up[:count]:
            for _ in range(2 if double else 1):
                if not drop:
                    self._take(sent)
        del self.up[:count]

    def _take(self, sent: Sent) -> None:
        outcome = self.sequence.offer(sent.seq, sent.prev)
        if outcome is Outcome.ACCEPT:
            self.stored.append(sent.seq)
        self.down.append(Told(self.sequence.state.last, outcome is Outcome.GAP))

    @rule(count=st.integers(1, 10), drop=st.booleans())
    def deliver_down(self, count: int, *, drop: bool) -> None:
        for told in self.down[:count]:
            if not drop:
                self._hear(told)
        del self.down[:count]

    def _hear(self, told: Told) -> None:
        if told.resend:
            self.window.resend_asked(told.seq, self.now)
        else:
            self.window.acknowledged(told.seq, self.now)
        self.position = max(self.position, told.seq)

    @rule(place=st.integers(0, 30))
    @precondition(lambda self: len(self.up) > 1)
    def reorder(self, place: int) -> None:
        index = place % (len(self.up) - 1)
        self.up[index], self.up[index + 1] = self.up[index + 1], self.up[index]

    @rule()
    def broker_forgets(self) -> None:
        self.up.clear()
        self.down.clear()
        self.window.rewind()

    @rule()
    def node_restarts(self) -> None:
        self.window = self._window()

    @rule()
    def gateway_restarts(self) -> None:
        self.sequence = Sequence(self.sequence.state, begun=self.sequence.begun)
        self.window.rewind()

    @rule()
    def gateway_is_replaced(self) -> None:
        """By one with an empty journal. Its connection is new: what was on the way to the first one is gone."""
        self.up.clear()
        self.down.clear()
        self._new_gateway()
        self.window.rewind()

    @rule(seconds=st.floats(0.1, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def stored_once_and_in_order(self) -> None:
        if hasattr(self, "stored"):
            assert self.stored == sorted(set(self.stored))

    @invariant()
    def nothing_is_missing_but_what_was_evicted(self) -> None:
        if hasattr(self, "stored"):
            state = self.sequence.state
            missing = set(range(self.base + 1, state.last + 1)) - set(self.stored)
            assert missing <= self.evicted
            assert state.evicted == len(missing)

    @invariant()
    def the_window_is_kept(self) -> None:
        if hasattr(self, "window"):
            assert len(self.window) <= self.limits[0]

    def teardown(self) -> None:
        """Over a channel that works again everything gets through, in bounded time."""
        if not hasattr(self, "window"):
            return
        for _ in range(400):
            if not self.entries or self.sequence.state.last >= self.entries[-1]:
                break
            self.now += 5.0
            self.send(10)
            self.deliver_up(len(self.up) or 1, drop=False, double=False)
            self.deliver_down(len(self.down) or 1, drop=False)
        assert not self.entries or self.sequence.state.last >= self.entries[-1]
        assert set(self.entries) <= set(self.stored) | set(range(self.base + 1))


Protocol.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestProtocol = Protocol.TestCase


def test_the_three_cases() -> None:
    sequence = Sequence(LogState(5), begun=True)
    assert sequence.offer(5, 4) is Outcome.DUPLICATE
    assert sequence.offer(8, 7) is Outcome.GAP
    assert sequence.offer(8, 5) is Outcome.ACCEPT
    assert sequence.offer(9, 8) is Outcome.ACCEPT
    assert (sequence.state.last, sequence.state.evicted, sequence.state.duplicates) == (9, 2, 1)


def test_a_log_never_seen_begins_with_what_its_sender_still_has() -> None:
    assert Sequence.baseline(acked=100, oldest=1) == 0
    assert Sequence.baseline(acked=100, oldest=51) == 50
    assert Sequence.baseline(acked=10, oldest=51) == 10
    assert Sequence.baseline(acked=100, oldest=0) == 100


def test_a_message_that_is_always_refused_is_given_up_and_others_are_not() -> None:
    sequence = Sequence(LogState(5), begun=True)
    for _ in range(PATIENCE - 1):
        assert not sequence.refuse(6, 5)
    assert sequence.offer(6, 5) is Outcome.ACCEPT
    for _ in range(PATIENCE + 1):
        assert not sequence.refuse(6, 5)
        assert not sequence.refuse(9, 8)
    assert [sequence.refuse(7, 6) for _ in range(PATIENCE)] == [False] * (PATIENCE - 1) + [True]
    assert (sequence.state.last, sequence.state.skipped) == (7, 1)
    assert sequence.offer(8, 7) is Outcome.ACCEPT


def test_in_vain_only_one_message_is_sent_at_growing_distances() -> None:
    window = Window(0, count=100, size_bytes=10_000, stall_s=10.0)
    for seq in range(1, 101):
        window.sent(seq, 10, 0.0)
    assert window.room == 0
    moments = []
    for second in range(1, 400):
        if window.poll(float(second)):
            moments.append(second)
            assert (window.cursor, window.room) == (0, 1)
            window.sent(1, 10, float(second))
    assert moments == [10, 30, 70, 150, 270, 390]
    assert window.acknowledged(1, 400.0)
    assert window.room == 100


def test_the_window_is_bounded_by_bytes_but_never_closed_by_one_message() -> None:
    window = Window(0, count=100, size_bytes=1000, stall_s=10.0)
    window.sent(1, 5000, 0.0)
    assert window.room == 0
    window.acknowledged(1, 0.0)
    assert window.room == 100
