"""One node that invents journals must not shut out the others."""

from __future__ import annotations

import pytest

from gateway.origins import MAX_LOGS_OF_A_NODE, Origins
from wire.codec import Refused
from wire.messages import Status


def status(node: str, log: str) -> Status:
    return Status(site="bakery", node=node, origin="sense", online=True, log=log, oldest=1, acked=0, next=2)


def test_the_logs_of_one_node_are_bounded_and_others_still_welcome() -> None:
    origins = Origins("bakery")
    for number in range(MAX_LOGS_OF_A_NODE):
        origins.hear_status(status("mad", f"log-{number}"), 1, live=True)
    with pytest.raises(Refused, match="too_many"):
        origins.hear_status(status("mad", "one-more"), 1, live=True)
    assert origins.hear_status(status("sane", "log-a"), 1, live=True) is not None
