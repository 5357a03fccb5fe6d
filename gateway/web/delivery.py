"""How each receiver of events and messages is doing, in the reader's language; what its service said in its own is in the API."""

from __future__ import annotations

import re
from typing import Any

from gateway.alerts import SECOND_NS
from gateway.outbox import HELD_DAYS, TargetStatus
from gateway.wording import Wording

_SINCE = re.compile(r" at ([0-9]{9,11})$")
"""When it was switched off, seconds since the epoch, as the forwarder notes it."""
_ANSWER = re.compile(r"^HTTP ([0-9]{3})\b")


def delivery(target: TargetStatus, words: Wording) -> dict[str, Any]:
    """The template's values of one receiver."""
    page = words.catalogue["page"]
    said = []
    if target.disabled:
        since = _SINCE.search(target.disabled)
        when = words.when(int(since[1]) * SECOND_NS) if since else ""
        said.append(str(page["switched_off_since" if when else "switched_off"]).format(when=when))
        said.append(str(page["held"]).format(days=HELD_DAYS))
    elif target.last_error:
        answer = _ANSWER.match(target.last_error)
        kind = "untaken" if target.kind == "person" else "answer" if answer else "silent"
        said.append(str(page[f"delivery_{kind}"]).format(status=answer[1] if answer else ""))
    if target.dropped:
        said.append(str(page["dropped"]).format(dropped=target.dropped))
    return {
        "kind": target.kind,
        "name": target.name,
        "delivered": target.delivered,
        "waiting": target.pending,
        "failed": target.dead,
        "error": " ".join(said),
        "button": page["enable"] if target.disabled else page["resend"] if target.dead else "",
    }
