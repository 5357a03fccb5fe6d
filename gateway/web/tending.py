"""What a person at a machine tells its node from the page: pause for cleaning, this is normal now, learn anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.ledger_records import CommandState
from gateway.services import Services
from gateway.web import views
from gateway.web.commands import ask
from gateway.web.problems import HttpProblem
from gateway.wording import Wording
from wire.commands import EXPIRED

_Fate: TypeAlias = Literal["waiting", "done", "refused", "expired"]
_HALF_DAY_NS = 12 * 3600 * 10**9
PAUSE_MINUTES = (30, 120)
BUTTONS: Mapping[str, Mapping[str, Any]] = {
    **{f"pause_{minutes}": {"action": "pause", "seconds": 60.0 * minutes} for minutes in PAUSE_MINUTES},
    "resume": {"action": "resume"},
    "confirm_normal": {"action": "confirm_normal"},
    "relearn": {"action": "relearn"},
}
"""The page's buttons with what they ask of the node."""
LATEST = 200
"""Commands looked at; of each machine the latest counts."""
TOLD_NS = 30 * 60 * 10**9
"""What was done is told for so long; what was not, as long as a command may wait."""
UNDONE_NS = 24 * 3600 * 10**9


def tell(services: Services, node: str, machine: str, button: str, *, by: str, signed: str) -> None:
    """A button was pressed.

    Args:
        services: the gateway's parts.
        node: where the machine is.
        machine: its name.
        button: a key of `BUTTONS`.
        by: the name that the person filled in.
        signed: who that is, for the audit trail.

    Raises:
        HttpProblem: 404 no such machine, 422 no name.
    """
    try:
        asked = msgspec.convert({"by": by, **BUTTONS[button]}, views.CommandRequest)
    except msgspec.ValidationError as exc:
        raise HttpProblem(422, str(exc)) from exc
    ask(services, node, machine, asked, by=signed)


class Tending:
    """What each machine's card shows of it at one moment, in one language.

    Raises:
        LedgerError, LedgerUnavailable: commands cannot be read now.
    """

    def __init__(self, services: Services, words: Wording, now_ns: int) -> None:
        self._live = services.live
        self._words = words
        self._page = words.catalogue["page"]
        self._now_ns = now_ns
        self._latest: dict[tuple[str, str], CommandState] = {}
        asked = {each["action"] for each in BUTTONS.values()}
        for command in services.ledger.commands(limit=LATEST):
            if command.origin == "sense" and command.action in asked:
                self._latest.setdefault((command.node, command.machine), command)

    def of(self, machine: views.Machine) -> dict[str, Any]:
        """The template's values: whether there is anything to tell, what was told last, and the pause."""
        latest = self._latest.get((machine.node, machine.machine))
        fate, _ = self._fate(latest) if latest is not None else ("done", "")
        waits = latest is not None and latest.action == "pause" and fate == "waiting"
        return {
            "tended": bool(machine.condition_ns),
            "pauses": [
                (f"pause_{minutes}", str(self._page["pause_for"]).format(duration=self._words.duration(60 * minutes)))
                for minutes in PAUSE_MINUTES
            ],
            "resumable": machine.paused or waits,
            "paused": self._paused(machine),
            "told": self._told(latest, online=machine.online) if latest is not None else "",
        }

    def _paused(self, machine: views.Machine) -> str:
        if not machine.paused:
            return ""
        if not machine.paused_left_s:
            return str(self._page["paused"])
        until = self._moment(self._now_ns + round(machine.paused_left_s * 1e9))
        return str(self._page["paused_until"]).format(when=until)

    def _told(self, command: CommandState, *, online: bool) -> str:
        """What became of it, in a sentence; empty once that is no news."""
        fate, reason = self._fate(command)
        age_ns = self._now_ns - command.at_ns
        if age_ns > (TOLD_NS if fate == "done" else UNDONE_NS):
            return ""
        key = "tend_away" if fate == "waiting" and not online else f"tend_{fate}"
        return str(self._page[key]).format(
            what=self._words.word("actions", command.action),
            by=command.by,
            when=self._moment(command.at_ns),
            until=self._moment(command.expires_ns),
            reason=reason,
        )

    def _fate(self, command: CommandState) -> tuple[_Fate, str]:
        """What became of it and the node's own words; an answer is known here before it is in the ledger."""
        if command.state == "queued" or command.state == "sent":  # noqa: PLR1714  # what the type checker understands
            reply = self._live.reply(command.id)
            if reply is None:
                return "expired" if command.expires_ns <= self._now_ns else "waiting", ""
            return "done" if reply.ok else "expired" if reply.code == EXPIRED else "refused", reply.reason
        return command.state, command.reason

    def _moment(self, time_ns: int) -> str:
        """A time of day; with its date where that is not clear."""
        near = abs(time_ns - self._now_ns) < _HALF_DAY_NS
        return self._words.clock(time_ns)[:5] if near else self._words.when(time_ns)
