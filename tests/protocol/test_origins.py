"""One node that invents journals must not shut out the others, and one that is no longer in use leaves room."""

from __future__ import annotations

import msgspec
import pytest

from gateway.origins import MAX_LOGS, MAX_LOGS_OF_A_NODE, Origins
from gateway.sequence import Outcome
from wire.codec import Refused
from wire.messages import Series, Status, Telemetry, Trust


def status(node: str, log: str) -> Status:
    return Status(site="bakery", node=node, origin="sense", online=True, log=log, oldest=1, acked=0, next=2)


def reading(seq: int) -> Telemetry:
    return Telemetry(
        site="bakery", node="pi", origin="sense", log="log-a", seq=seq, prev=seq - 1, boot="boot-1", time_ns=1,
        trust=Trust.SYNCED, machine="mixer", series={"vibration": Series(unit="mm/s", values=[1.0])},
    )  # fmt: skip


def test_the_logs_of_one_node_are_bounded_and_others_still_welcome() -> None:
    origins = Origins("bakery")
    for number in range(MAX_LOGS_OF_A_NODE):
        origins.hear_status(status("mad", f"log-{number}"), 1, live=True)
    with pytest.raises(Refused, match="too_many"):
        origins.hear_status(status("mad", "one-more"), 1, live=True)
    assert origins.hear_status(status("sane", "log-a"), 1, live=True) is not None


def test_logs_of_daemons_that_are_no_longer_in_use_make_room_where_there_is_none() -> None:
    origins = Origins("bakery")
    for number in range(MAX_LOGS):
        origins.hear_status(status(f"pi-{number // MAX_LOGS_OF_A_NODE}", f"log-{number}"), 1, live=True)
    with pytest.raises(Refused, match="too_many"):
        origins.hear_status(status("new", "log-a"), 1, live=True)
    origins.forget_status("pi-0", "sense")
    origins.retire("pi-0", "sense")
    assert origins.hear_status(status("new", "log-a"), 1, live=True) is not None


def test_of_a_daemon_that_is_no_longer_in_use_nothing_is_taken_until_it_says_that_it_is_there() -> None:
    origins = Origins("bakery")
    origins.hear_status(status("pi", "log-a"), 1, live=True)
    assert origins.offer(reading(1), 2)[1] is Outcome.ACCEPT
    origins.forget_status("pi", "sense")
    origins.retire("pi", "sense")
    key, outcome = origins.offer(reading(2), 3)
    assert outcome is None
    assert not origins.refuse(key, 2, 1)
    answer = origins.hear_status(msgspec.structs.replace(status("pi", "log-a"), next=3), 4, live=True)
    assert answer is not None
    assert answer.resend, "what came before is asked for"
    assert origins.last(key) == 1
    assert origins.offer(reading(1), 5)[1] is Outcome.DUPLICATE
    assert origins.offer(reading(2), 6)[1] is Outcome.ACCEPT
