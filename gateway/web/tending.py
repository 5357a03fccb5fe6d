"""What a person at a machine tells its node from the page: pause for cleaning, this is normal now, learn anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from gateway.ledger_records import CommandState
from gateway.services import Services
from gateway.web import goods_views, views
from gateway.web.commands import ask
from gateway.web.goods_state import WATCH, camera_nodes
from gateway.web.problems import HttpProblem
from gateway.wording import Wording
from wire.commands import EXPIRED
from wire.messages import Origin

_Fate: TypeAlias = Literal["waiting", "done", "refused", "expired"]
_HALF_DAY_NS = 12 * 3600 * 10**9
PAUSE_MINUTES = (30, 120)
BUTTONS: Mapping[str, Mapping[str, Any]] = {
    **{f"pause_{minutes}": {"action": "pause", "seconds": 60.0 * minutes} for minutes in PAUSE_MINUTES},
    "resume": {"action": "resume"},
    "confirm_normal": {"action": "confirm_normal"},
    "relearn": {"action": "relearn"},
    "goods_normal": {"action": "confirm_normal", "origin": WATCH},
}
"""The page's buttons with what they ask of the node."""
_OF_ALARMS = ("false_alarm", "confirm_fault")
"""What is said of an alarm is told only where the node could learn nothing of it."""
_OF_ALL = ("pause", "resume")
"""What whoever cleans means for the machine and for every camera at it, on whichever node."""
LATEST = 200
"""Commands looked at; of each machine the latest counts."""
TOLD_NS = 30 * 60 * 10**9
"""What was done is told for so long; what was not, as long as a command may wait."""
UNDONE_NS = 24 * 3600 * 10**9
_TOGETHER_NS = 5 * 10**9
"""Commands that one button sent are not further apart."""


class _Watcher(NamedTuple):
    """A daemon that looks after a machine."""

    node: str
    origin: Origin


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
    cameras = [_Watcher(each, "watch") for each in camera_nodes(services, machine)]
    told = [_Watcher(node, asked.origin)]
    if asked.action in _OF_ALL:
        told = [*_sensing(services, machine), *cameras] or told
    elif asked.origin == WATCH:
        told = cameras or told
    for each in told:
        ask(services, each.node, machine, msgspec.structs.replace(asked, origin=each.origin), by=signed)


def _sensing(services: Services, machine: str) -> list[_Watcher]:
    states = services.live.machines()
    return [_Watcher(one.node, "sense") for one in states if one.machine == machine and one.condition is not None]


class Tending:
    """What each machine's card shows of it at one moment, in one language.

    Args:
        services: the gateway's parts.
        words: of the language.
        cameras: all of the site.
        now_ns: the moment.

    Raises:
        LedgerError, LedgerUnavailable: commands cannot be read now.
    """

    def __init__(
        self, services: Services, words: Wording, cameras: Sequence[goods_views.CameraView], now_ns: int
    ) -> None:
        self._live = services.live
        self._words = words
        self._page = words.catalogue["page"]
        self._cameras = cameras
        self._now_ns = now_ns
        self._latest: dict[tuple[str, str, str], CommandState] = {}
        asked = {each["action"] for each in BUTTONS.values()}
        for command in services.ledger.commands(limit=LATEST):
            missed = command.action in _OF_ALARMS and self._fate(command) == "refused"
            if missed or command.action in asked:
                self._latest.setdefault((command.node, command.machine, command.origin), command)

    def of(self, machine: views.Machine) -> dict[str, Any]:
        """The template's values: what there is to tell, what was told last, and the pause."""
        cameras = [camera for camera in self._cameras if camera.machine == machine.machine]
        asked = self._asked(machine, cameras)
        waits = any(command.action == "pause" and self._fate(command) == "waiting" for command, _ in asked)
        paused = [*self._paused(machine), *self._cameras_paused(cameras)]
        return {
            "tended": bool(machine.condition_ns or cameras),
            "learns": bool(machine.condition_ns),
            "sees": bool(cameras),
            "pauses": [
                (f"pause_{minutes}", str(self._page["pause_for"]).format(duration=self._words.duration(60 * minutes)))
                for minutes in PAUSE_MINUTES
            ],
            "resumable": bool(paused) or waits,
            "paused": paused,
            "told": [said for command, online in asked if (said := self._told(command, online=online))],
        }

    def _asked(
        self, machine: views.Machine, cameras: Sequence[goods_views.CameraView]
    ) -> list[tuple[CommandState, bool]]:
        """What was asked last of the machine and of its cameras, and whether they are there; what one button asked of both once."""
        own = self._latest.get((machine.node, machine.machine, "sense"))
        asked = [] if own is None else [(own, machine.online)]
        for node in sorted({camera.node for camera in cameras}):
            command = self._latest.get((node, machine.machine, WATCH))
            if command is not None and not (own is not None and self._same(own, command)):
                asked.append((command, any(each.online for each in cameras if each.node == node)))
        return asked

    def _same(self, one: CommandState, other: CommandState) -> bool:
        near = abs(one.at_ns - other.at_ns) < _TOGETHER_NS
        return near and one.action == other.action and self._fate(one) == self._fate(other)

    def _paused(self, machine: views.Machine) -> list[str]:
        if not machine.paused:
            return []
        if not machine.paused_left_s:
            return [str(self._page["paused"])]
        return [str(self._page["paused_until"]).format(when=self._in(machine.paused_left_s))]

    def _cameras_paused(self, cameras: Sequence[goods_views.CameraView]) -> list[str]:
        left_s = [camera.paused_left_s for camera in cameras if camera.paused_left_s]
        return [str(self._page["camera_paused_until"]).format(when=self._in(max(left_s)))] if left_s else []

    def _told(self, command: CommandState, *, online: bool) -> str:
        """What became of it, in a sentence; empty once that is no news."""
        fate = self._fate(command)
        age_ns = self._now_ns - command.at_ns
        if age_ns > (TOLD_NS if fate == "done" else UNDONE_NS):
            return ""
        key = f"tend_{fate}" if command.action not in _OF_ALARMS else "tend_nothing_meant"
        if fate == "waiting" and not online:
            key = "tend_away_pause" if command.action == "pause" else "tend_away"
        at_camera = command.origin == WATCH
        of_goods = at_camera and command.action == "confirm_normal"
        return str(self._page[key]).format(
            what=self._page["goods_normal"] if of_goods else self._words.word("actions", command.action),
            who=self._page["tend_camera" if at_camera else "tend_node"],
            by=command.by,
            when=self._moment(command.at_ns),
            until=self._moment(command.expires_ns),
        )

    def _fate(self, command: CommandState) -> _Fate:
        """What became of it; an answer is known here before it is in the ledger."""
        if command.state == "queued" or command.state == "sent":  # noqa: PLR1714  # what the type checker understands
            reply = self._live.reply(command.id)
            if reply is None:
                return "expired" if command.expires_ns <= self._now_ns else "waiting"
            return "done" if reply.ok else "expired" if reply.code == EXPIRED else "refused"
        return command.state

    def _in(self, seconds: float) -> str:
        return self._moment(self._now_ns + round(seconds * 1e9))

    def _moment(self, time_ns: int) -> str:
        """A time of day; with its date where that is not clear."""
        near = abs(time_ns - self._now_ns) < _HALF_DAY_NS
        return self._words.clock(time_ns)[:5] if near else self._words.when(time_ns)
