"""Commands from the gateway: taken durably, carried out once, always answered.

A command is kept in the journal's marks before the broker is told that it arrived, carried out between two ticks by the thread
of its machine, and answered by a `Reply` in the same transaction that remembers its id. So a command survives a
restart, and one that arrives again is not carried out again. Every list of commands goes the same way to the journal, so that an
older one is never committed over a newer one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import NamedTuple, Protocol

import msgspec

from edge.pausing import pause_until
from edge.sensors.base import FaultInjectable, UnknownFault
from models.condition.contract import Confirmed, Word
from wire.commands import EXPIRED, NO_ALARM, PAUSE_S, Command
from wire.journal import Journal, Record
from wire.messages import Taught

MARK = "commands"
REMEMBERED = 256
"""Ids of finished commands; a broker repeats a command within its session, never hundreds of commands later."""
LATE_S = 2.0
"""A pause that arrives later than so is said to have begun before."""
WAITING = 64
"""Commands taken and not yet carried out; more are refused."""


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    waiting: list[Command] = []
    done: list[str] = []


class Outcome(NamedTuple):
    """What became of a command. `changed` asks for a snapshot before the answer goes out."""

    ok: bool
    reason: str
    changed: bool = False
    code: str | None = None
    """Why it was refused; see `Reply.code`."""
    taught: Taught | None = None


class CommandDesk:
    """Takes commands from any thread and hands each to its machine once.

    Args:
        journal: whose marks remember what was taken and done; read once.
        machines: names that commands may be for.
        reply: makes the reply's record from a command and its outcome.
        put: takes records and marks to be committed together, in the order of the calls; does not wait.
        flush: waits until what was put is durable; raises JournalError where it is not.
        wall_ns: best present wall time, None while unknown.
    """

    def __init__(
        self,
        journal: Journal,
        machines: Collection[str],
        *,
        reply: Callable[[Command, Outcome], Record],
        put: Callable[[Sequence[Record], Mapping[str, str]], None],
        flush: Callable[[], None],
        wall_ns: Callable[[], int | None],
    ) -> None:
        self.refused: dict[str, int] = {}
        """Commands refused since start, by reason."""
        self._machines = frozenset(machines)
        self._reply = reply
        self._put = put
        self._flush = flush
        self._wall_ns = wall_ns
        self._lock = Lock()
        self._kept = _load(journal.mark(MARK))
        self._taken: set[str] = set()

    def hear(self, command: Command) -> None:
        """Takes a command; when this returns it is durable or refused, and the broker may be told.

        Raises:
            JournalError: it could not be made durable yet; the gateway sends it again where it hears no reply.
        """
        if not self._keep(command):
            self._refuse(command, "command_busy", f"{WAITING} commands are waiting already")
        # Also for one that came before: then it may not have been durable.
        self._flush()

    def settle(self) -> None:
        """Refuses what waits and can never be carried out; call it about once a second."""
        with self._lock:
            waiting = [command for command in self._kept.waiting if command.id not in self._taken]
        now = self._wall_ns()
        for command in waiting:
            if command.machine not in self._machines:
                self._refuse(command, "command_machine", f"there is no machine {command.machine!r} on this node")
            elif now is not None and command.expires_ns <= now:
                self._refuse(command, EXPIRED, "it arrived after its time", EXPIRED)

    def take(self, machine: str) -> list[Command]:
        """Commands that this machine's thread shall carry out now and then pass to `finish`.

        While the wall time is unknown nothing is handed out: whether a command is still in time could not be told.
        """
        now = self._wall_ns()
        if now is None or not self._kept.waiting:
            return []
        with self._lock:
            found = [
                command
                for command in self._kept.waiting
                if command.machine == machine and command.expires_ns > now and command.id not in self._taken
            ]
            self._taken.update(command.id for command in found)
            return found

    def finish(self, command: Command, outcome: Outcome) -> None:
        """Answers a command and forgets it but for its id, in one transaction."""
        record = self._reply(command, outcome)
        with self._lock:
            self._taken.discard(command.id)
            waiting = [one for one in self._kept.waiting if one.id != command.id]
            done = [*self._kept.done, command.id][-REMEMBERED:]
            self._kept = _Kept(waiting=waiting, done=done)
            # Under the lock, so that an older list cannot be put after a newer one.
            self._put([record], {MARK: _dump(self._kept)})

    def release(self, machine: str) -> None:
        """The machine's thread ended with commands in hand; its successor gets them again."""
        with self._lock:
            mine = {command.id for command in self._kept.waiting if command.machine == machine}
            self._taken -= mine

    def refuse(self, command: Command, kind: str, reason: str, code: str | None = None) -> None:
        """Counts and answers a command that a machine could not carry out."""
        self._refuse(command, kind, reason, code)

    def _keep(self, command: Command) -> bool:
        """Remembers a command; False where too many wait."""
        with self._lock:
            if command.id in self._kept.done or any(command.id == one.id for one in self._kept.waiting):
                self._count("command_repeated")
                return True
            if len(self._kept.waiting) >= WAITING:
                return False
            self._kept = _Kept(waiting=[*self._kept.waiting, command], done=self._kept.done)
            self._put([], {MARK: _dump(self._kept)})
            return True

    def _refuse(self, command: Command, kind: str, reason: str, code: str | None = None) -> None:
        logging.getLogger(__name__).warning("command %s (%s) refused: %s", command.id, command.action, reason)
        with self._lock:
            self._count(kind)
        self.finish(command, Outcome(ok=False, reason=reason, code=code))

    def _count(self, kind: str) -> None:
        self.refused[kind] = self.refused.get(kind, 0) + 1


class Listener(Protocol):
    """What a command can do to a machine's path."""

    def hear(self, word: Word, confirmed: Confirmed | None = None) -> bool:
        """Takes a person's word to the model; False where there is nothing that it could mean."""

    def pause(self, until_ns: int) -> None:
        """Judges nothing until then (monotonic)."""

    def resume(self) -> None:
        """Ends a pause."""

    def make(self, product: str) -> None:
        """The machine makes this from now on."""


_WORDS: Mapping[str, tuple[Word, str]] = {
    "relearn": (Word.RELEARN, "forgot everything, learns anew"),
    "confirm_normal": (Word.NORMAL_NOW, "takes what follows as normal"),
    "false_alarm": (Word.FALSE_ALARM, "learned what alarmed as normal"),
}
"""What each word is to the model, and what is answered."""


def perform(
    command: Command,
    path: Listener,
    sensors: Mapping[str, object],
    *,
    now_ns: int,
    allow_faults: bool,
    gateway_ns: int | None = None,
) -> Outcome:
    """Carries out one command on one machine; never raises for what a command may contain.

    Args:
        command: for this machine, in time.
        path: the machine's path.
        sensors: its open sensors by name.
        now_ns: monotonic time.
        allow_faults: whether the configuration lets simulated machines be broken.
        gateway_ns: the same moment by the gateway's clock, None while unknown.
    """
    if command.action in (*_WORDS, "confirm_fault"):
        return _heed(command, path)
    if command.action == "pause":
        return pause(command, path.pause, now_ns, gateway_ns)
    if command.action == "resume":
        path.resume()
        return Outcome(ok=True, reason="goes on")
    if command.action == "set_product":
        return _set_product(command, path)
    if command.action in ("inject_fault", "clear_fault"):
        return _break_or_mend(command, sensors, allow_faults=allow_faults)
    return Outcome(ok=False, reason=f"{command.action} has no meaning for what listens to this machine")


def pause(command: Command, begin: Callable[[int], None], now_ns: int, gateway_ns: int | None) -> Outcome:
    """Carries out a pause, as far as it is not over yet.

    Args:
        command: asks for it.
        begin: judges nothing until then (monotonic).
        now_ns: monotonic time.
        gateway_ns: the same moment by the gateway's clock, None while unknown.
    """
    until_ns = pause_until(command, now_ns, gateway_ns)
    asked_s = command.seconds or PAUSE_S
    if until_ns is None:
        return Outcome(ok=False, reason=f"a pause of {asked_s:g} s that was over when it arrived", code=EXPIRED)
    begin(until_ns)
    left_s = round((until_ns - now_ns) / 1e9, 1)
    late = asked_s - left_s >= LATE_S
    return Outcome(ok=True, reason=f"paused for {f'{left_s:g} s, what was left of ' if late else ''}{asked_s:g} s")


def _heed(command: Command, path: Listener) -> Outcome:
    """Takes a person's word to the model."""
    if command.action in _WORDS:
        word, said = _WORDS[command.action]
        return Outcome(ok=True, reason=said, changed=True) if path.hear(word) else _nothing_meant(changed=True)
    if command.cause is None:
        return Outcome(ok=False, reason="confirm_fault needs the cause's name")
    evidence = {item.feature: item.deviation for item in command.evidence}
    if not path.hear(Word.CONFIRMED, Confirmed(command.cause, command.label, evidence)):
        return _nothing_meant()
    return Outcome(ok=True, reason=f"keeps what {command.label or command.cause} looks like"[:500], changed=True)


def _nothing_meant(*, changed: bool = False) -> Outcome:
    return Outcome(ok=False, reason="no alarm is remembered that could be meant", changed=changed, code=NO_ALARM)


def _set_product(command: Command, path: Listener) -> Outcome:
    if command.product is None:
        return Outcome(ok=False, reason="set_product needs the product's name")
    path.make(command.product)
    return Outcome(ok=True, reason=f"makes {command.product} from now on")


def _break_or_mend(command: Command, sensors: Mapping[str, object], *, allow_faults: bool) -> Outcome:
    if not allow_faults:
        return Outcome(ok=False, reason="faults are not allowed here ([simulation] allow_faults)")
    simulated = {name: sensor for name, sensor in sensors.items() if isinstance(sensor, FaultInjectable)}
    if not simulated:
        return Outcome(ok=False, reason="this machine has no simulated sensor")
    inject = command.action == "inject_fault"
    if inject and command.fault is None:
        return Outcome(ok=False, reason="inject_fault needs the fault's name")
    touched: list[str] = []
    unknown: list[str] = []
    for name, sensor in simulated.items():
        try:
            if inject and command.fault is not None:
                sensor.inject(command.fault)
            else:
                sensor.clear(command.fault)
        except (UnknownFault, ValueError) as exc:
            unknown.append(f"{name}: {exc}")
        else:
            touched.append(name)
    if not touched:
        return Outcome(ok=False, reason="; ".join(unknown)[:500])
    return Outcome(ok=True, reason=f"{command.action} {command.fault or 'all'} at {', '.join(sorted(touched))}"[:500])


def _dump(kept: _Kept) -> str:
    return msgspec.json.encode(kept).decode()


def _load(mark: str | None) -> _Kept:
    if not mark:
        return _Kept()
    try:
        return msgspec.json.decode(mark, type=_Kept)
    except msgspec.DecodeError:
        logging.getLogger(__name__).warning("the list of commands kept in the journal cannot be read; starts empty")
        return _Kept()
