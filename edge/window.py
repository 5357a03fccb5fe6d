"""How far the publisher may run ahead of the gateway's acknowledgements, and when it goes back. Pure: time is given.

`cursor` is the last number sent, `acked` what the gateway last said it holds. Going back is asked for by whoever notices
(`rewind`, `resend_asked`) and done by the one who sends (`poll`), so that it never happens in the middle of a batch.
"""

from __future__ import annotations

from collections import deque

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_STALL_S = 120.0


class Window:
    """Not thread-safe.

    Args:
        acked: where to begin.
        count, size_bytes: at most so many messages and bytes sent and not acknowledged; one message always may.
        stall_s: without any progress for so long, sending begins again behind `acked`; the next time after twice as long.

    After going back in vain only one message is sent until there is progress: whatever swallows them (a full
    gateway behind a queueing broker, an ACL) is probed, not flooded.
    """

    def __init__(self, acked: int, *, count: int, size_bytes: int, stall_s: float) -> None:
        self.acked = acked
        self.cursor = acked
        self.highest = acked
        """The highest number ever sent or acknowledged."""
        self._count = count
        self._size_bytes = size_bytes
        self._stall_s = stall_s
        self._patience_s = stall_s
        self._probing = False
        self._ahead: deque[tuple[int, int]] = deque()
        self._ahead_bytes = 0
        self._back_to: int | None = None
        self._not_before = 0.0
        self._went_back_to: int | None = None
        self._pause_s = FIRST_PAUSE_S
        self._waits_since = 0.0

    def __len__(self) -> int:
        """Messages sent and not acknowledged."""
        return len(self._ahead)

    @property
    def room(self) -> int:
        """How many more messages may be sent."""
        if self._probing:
            return 0 if self._ahead else 1
        return 0 if self._ahead and self._ahead_bytes >= self._size_bytes else self._count - len(self._ahead)

    @property
    def room_bytes(self) -> int:
        """How many more bytes may be sent."""
        return max(self._size_bytes - self._ahead_bytes, 1)

    def sent(self, seq: int, size: int, now_s: float) -> bool:
        """A message was handed to the broker; True if it had been sent before."""
        if not self._ahead:
            self._waits_since = now_s
        self._ahead.append((seq, size))
        self._ahead_bytes += size
        self.cursor = seq
        again = seq <= self.highest
        self.highest = max(self.highest, seq)
        return again

    def passed(self, seq: int) -> None:
        """A number that is not sent at all was passed."""
        self.cursor = max(self.cursor, seq)

    def acknowledged(self, seq: int, now_s: float) -> bool:
        """The gateway holds everything up to `seq`; True if that is news."""
        while self._ahead and self._ahead[0][0] <= seq:
            self._ahead_bytes -= self._ahead.popleft()[1]
        if seq <= self.acked:
            return False
        self.acked = seq
        self.cursor = max(self.cursor, seq)
        self.highest = max(self.highest, seq)
        if self._back_to is not None:
            self._back_to = max(self._back_to, seq)
        self._waits_since = now_s
        self._pause_s = FIRST_PAUSE_S
        self._patience_s = self._stall_s
        self._probing = False
        self._went_back_to = None
        return True

    def rewind(self) -> None:
        """The way is a new one (connection, gateway): what is not acknowledged is sent again, at once."""
        self._back_to = self.acked if self._back_to is None else min(self._back_to, self.acked)
        self._not_before = 0.0
        self._pause_s = FIRST_PAUSE_S

    def resend_asked(self, seq: int, now_s: float) -> None:
        """The gateway misses what follows `seq`, which may be less than an earlier gateway acknowledged.

        Asked for the same again without progress, the pauses grow: what is lost or refused on the way each time
        must not make a storm.
        """
        while self._ahead and self._ahead[0][0] <= seq:
            self._ahead_bytes -= self._ahead.popleft()[1]
        self.acked = seq
        if self._back_to == seq:
            return
        self._back_to = seq
        if seq == self._went_back_to:
            self._not_before = now_s + self._pause_s
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            self._probing = True
        else:
            self._not_before = 0.0

    def poll(self, now_s: float) -> bool:
        """Goes back if that is asked for and due, or if nothing moves; True if it did."""
        if self._back_to is None and self._ahead and now_s - self._waits_since >= self._patience_s:
            self._back_to, self._not_before = self.acked, 0.0
            self._patience_s = min(self._patience_s * 2, max(LONGEST_STALL_S, self._stall_s))
            self._probing = True
        if self._back_to is None or now_s < self._not_before:
            return False
        self.cursor, self._back_to = self._back_to, None
        self._went_back_to = self.cursor
        self._ahead.clear()
        self._ahead_bytes = 0
        self._waits_since = now_s
        return True
