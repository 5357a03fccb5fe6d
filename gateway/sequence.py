"""Whether a message is the next one of its log: the rule that makes "at least once" on the way "exactly once" here.

Pure: no time, no thread, no I/O. A log holds everything up to `last`; a message says its own number `seq` and the number
`prev` of the one before it that its sender still has.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

PATIENCE = 3
"""So often the next message must come and be refused before it is given up: once could be somebody else's."""


class Outcome(Enum):
    """What to do with a message."""

    ACCEPT = auto()
    """It is the next one: append it."""
    DUPLICATE = auto()
    """It is here already: drop it."""
    GAP = auto()
    """Something between was lost on the way: drop it and ask for what follows `last`."""


class LogState(Struct, array_like=True):
    """Of one log, what is durable here."""

    last: int
    """Everything up to here was appended, evicted by its sender, or given up."""
    evicted: int = 0
    """Numbers that the sender's disk bound had forced out before they could be sent."""
    duplicates: int = 0
    skipped: int = 0
    """Messages given up because they were refused again and again."""


class Sequence:
    """The acceptance rule of one log.

    Args:
        state: where it goes on; it is changed in place.
        begun: whether anything of the log was ever accepted; until then its beginning may still be moved.
    """

    def __init__(self, state: LogState, *, begun: bool) -> None:
        self.state = state
        self.begun = begun
        self._refused_seq = 0
        self._refused_times = 0

    @staticmethod
    def baseline(acked: int, oldest: int) -> int:
        """Where a log begins that was never seen here: with what its sender still has and an earlier gateway had not.

        Args:
            acked: everything up to here was durable at an earlier gateway.
            oldest: the oldest number the sender holds, 0 when it holds none.
        """
        return acked if oldest == 0 else min(acked, oldest - 1)

    def begin(self, acked: int, oldest: int) -> None:
        """Sets the beginning; changes nothing once something was accepted."""
        if not self.begun:
            self.state.last = self.baseline(acked, oldest)

    def offer(self, seq: int, prev: int) -> Outcome:
        """A message `seq` that follows `prev` (0 <= prev < seq) has come; what it is accepted for is done here."""
        state = self.state
        if seq <= state.last:
            state.duplicates += 1
            return Outcome.DUPLICATE
        if prev > state.last:
            return Outcome.GAP
        state.evicted += seq - state.last - 1
        state.last = seq
        self.begun = True
        return Outcome.ACCEPT

    def refuse(self, seq: int, prev: int) -> bool:
        """A message with these numbers has come that can never be taken; True when it is now given up for good.

        Without this, one such message would hold back everything behind it for ever.
        """
        if not prev <= self.state.last < seq:
            return False
        self._refused_times = self._refused_times + 1 if seq == self._refused_seq else 1
        self._refused_seq = seq
        if self._refused_times < PATIENCE:
            return False
        self.state.evicted += seq - self.state.last - 1
        self.state.skipped += 1
        self.state.last = seq
        self.begun = True
        return True
