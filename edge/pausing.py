"""Pauses that people ask for: until when one lasts, and how it outlives the process. Pure."""

from __future__ import annotations

from wire.commands import PAUSE_S, Command


def pause_until(command: Command, now_ns: int, gateway_ns: int | None) -> int | None:
    """Until when (monotonic) a pause lasts; None where it is over.

    It began when the person pressed, however late the node hears of it. It is never longer than asked, also where the clock of
    who sent it is ahead.

    Args:
        command: asks for it.
        now_ns: monotonic time.
        gateway_ns: the same moment by the gateway's clock, which may differ from the node's and dates the command; None where it is not
            known, and nothing can be said of a delay.
    """
    asked_ns = round((command.seconds or PAUSE_S) * 1e9)
    late_ns = 0 if gateway_ns is None else max(gateway_ns - command.issued_ns, 0)
    return now_ns + asked_ns - late_ns if late_ns < asked_ns else None


def pause_mark(boot: str, until_ns: int) -> str:
    """A pause for the journal's marks; it does not outlive the boot, whose monotonic time it is in."""
    return f"{boot} {until_ns}"


def kept_pause(mark: str | None, boot: str) -> int:
    """Until when (monotonic) a pause lasts that was kept; 0 for none.

    >>> kept_pause(pause_mark("b-1", 7), "b-1"), kept_pause(pause_mark("b-1", 7), "b-2"), kept_pause(None, "b-1")
    (7, 0, 0)
    """
    kept, _, until = (mark or "").partition(" ")
    return int(until) if kept == boot and until.isdecimal() else 0
