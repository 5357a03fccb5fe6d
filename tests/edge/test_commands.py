"""Commands: kept before they are acknowledged, carried out once, always answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.broker import until

from edge.commands import REMEMBERED, WAITING, CommandDesk, Outcome, perform
from edge.sensors.base import UnknownFault
from edge.writer import Writer
from models.condition.contract import Confirmed, Word
from wire.clock import boottime_ns
from wire.commands import EXPIRED, NO_ALARM, Command
from wire.journal import Journal, JournalError, JournalFull, Record
from wire.messages import Evidence

NOW = 1_800_000_000_000_000_000
MINUTE = 60_000_000_000


def command(identifier: str = "c1", action: str = "relearn", machine: str = "oven", **fields: Any) -> Command:
    given: dict[str, Any] = {"issued_ns": NOW, "expires_ns": NOW + MINUTE, **fields}
    return Command(id=identifier, machine=machine, action=action, **given)  # type: ignore[arg-type]  # parametrised


class Office:
    """A desk with a real journal; `restart` is a new process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now: int | None = NOW
        self.replies: list[tuple[str, bool, str]] = []
        self.codes: list[str | None] = []
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.path, readers=["publisher"], max_bytes=8_000_000)
        self.desk = CommandDesk(
            self.journal, ["oven"], reply=self.reply, put=self.put, flush=self.journal.flush, wall_ns=lambda: self.now
        )

    def restart(self) -> None:
        self.journal.close()
        self.open()

    def reply(self, asked: Command, outcome: Outcome) -> Record:
        self.replies.append((asked.id, outcome.ok, outcome.reason))
        self.codes.append(outcome.code)
        return Record(stream="reply", payload=asked.id.encode(), at_ns=0, boot="b", event=True)

    def put(self, records: Sequence[Record], marks: Mapping[str, str]) -> None:
        self.journal.append(records, marks=marks)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "j.sqlite")
    yield made
    made.journal.close()


def test_a_command_is_handed_out_once_and_answered(office: Office) -> None:
    office.desk.hear(command())
    (taken,) = office.desk.take("oven")
    assert office.desk.take("oven") == []
    assert office.desk.take("mixer") == []
    office.desk.finish(taken, Outcome(ok=True, reason="done"))
    assert office.replies == [("c1", True, "done")]
    assert [entry.payload for entry in office.journal.read(0)] == [b"c1"]


def test_one_that_comes_again_is_not_carried_out_again(office: Office) -> None:
    office.desk.hear(command())
    office.desk.hear(command())
    (taken,) = office.desk.take("oven")
    office.desk.finish(taken, Outcome(ok=True, reason="done"))
    office.desk.hear(command())
    office.restart()
    office.desk.hear(command())
    assert office.desk.take("oven") == []
    assert len(office.replies) == 1
    assert office.desk.refused == {"command_repeated": 1}


def test_what_was_taken_and_not_done_survives_a_restart(office: Office) -> None:
    office.desk.hear(command("c1"))
    office.desk.hear(command("c2", "pause", seconds=60.0))
    office.desk.take("oven")
    office.restart()
    assert [one.id for one in office.desk.take("oven")] == ["c1", "c2"]
    office.desk.release("oven")
    assert [one.seconds for one in office.desk.take("oven")] == [None, 60.0]


def test_late_and_misdirected_ones_are_refused_with_a_reason(office: Office) -> None:
    office.desk.hear(command("late", expires_ns=NOW - 1))
    office.desk.hear(command("lost", machine="mixer"))
    office.desk.hear(command("good"))
    office.desk.settle()
    assert office.replies == [
        ("late", False, "it arrived after its time"),
        ("lost", False, "there is no machine 'mixer' on this node"),
    ]
    assert office.codes == [EXPIRED, None]
    assert office.desk.refused == {"command_expired": 1, "command_machine": 1}
    assert [one.id for one in office.desk.take("oven")] == ["good"]


def test_without_a_time_a_command_waits(office: Office) -> None:
    office.now = None
    office.desk.hear(command("early"))
    office.desk.hear(command("late", expires_ns=NOW - 1))
    office.desk.settle()
    assert office.desk.take("oven") == []
    assert office.replies == []
    office.now = NOW
    office.desk.settle()
    assert [one.id for one in office.desk.take("oven")] == ["early"]
    assert office.replies == [("late", False, "it arrived after its time")]


def test_too_many_are_refused_and_what_is_remembered_is_bounded(office: Office) -> None:
    for number in range(WAITING + 3):
        office.desk.hear(command(f"c{number}"))
    assert len(office.desk.take("oven")) == WAITING
    assert office.desk.refused == {"command_busy": 3}
    office.restart()
    for number in range(REMEMBERED + 50):
        office.desk.finish(command(f"d{number}"), Outcome(ok=True, reason=""))
    mark = office.journal.mark("commands") or ""
    assert mark.count('"d') - mark.count('"done"') == REMEMBERED


def test_a_list_that_cannot_be_read_starts_empty(office: Office) -> None:
    office.journal.set_marks({"commands": '{"waiting": 3}'})
    office.restart()
    assert office.desk.take("oven") == []
    office.desk.hear(command())
    assert len(office.desk.take("oven")) == 1


class Stalling(Journal):
    """A journal whose disk takes nothing while it is told so."""

    stalls = False

    def append(
        self, records: Sequence[Record], *, marks: Mapping[str, str] | None = None, commit: bool | None = None
    ) -> range:
        if self.stalls:
            raise JournalFull("no room")
        return super().append(records, marks=marks, commit=commit)


def test_an_older_list_is_never_committed_over_a_newer_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.writer.RETRY_S", 0.02)
    office.journal.close()
    office.journal = journal = Stalling(office.path, readers=["publisher"], max_bytes=8_000_000)
    writer = Writer(journal, commit_s=60.0, moved=lambda: None, monotonic_ns=boottime_ns)
    desk = CommandDesk(
        journal, ["oven"], reply=office.reply, put=writer.put, flush=writer.flush, wall_ns=lambda: office.now
    )
    writer.start()
    desk.hear(command("a"))  # within the minute: nobody waits for the writer's pause
    (taken,) = desk.take("oven")
    journal.stalls = True
    desk.finish(taken, Outcome(ok=True, reason="done"))
    until(lambda: writer.failing == "no room")
    with pytest.raises(JournalError, match="no room"):
        desk.hear(command("b"))
    with pytest.raises(JournalError, match="no room"):
        desk.hear(command("b"))  # again, and still not durable
    journal.stalls = False
    until(lambda: writer.failing is None)
    desk.hear(command("b"))
    kept = msgspec.json.decode(journal.mark("commands") or "")
    assert ([one["id"] for one in kept["waiting"]], kept["done"]) == (["b"], ["a"])
    assert [entry.payload for entry in journal.read(0)] == [b"a"]
    assert writer.stop(5)
    office.restart()
    assert [one.id for one in office.desk.take("oven")] == ["b"]


class Ears:
    def __init__(self, *, hears: bool = True) -> None:
        self.heard: list[object] = []
        self.hears = hears

    def hear(self, word: Word, confirmed: Confirmed | None = None) -> bool:
        self.heard.append(word if confirmed is None else confirmed)
        return self.hears

    def pause(self, until_ns: int) -> None:
        self.heard.append(until_ns)

    def resume(self) -> None:
        self.heard.append("resume")

    def make(self, product: str) -> None:
        self.heard.append(product)


class Breakable:
    faults = ("bearing_outer", "sensor_stuck")

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None]] = []

    def inject(self, fault: str, *, ramp_s: float | None = None, severity: float = 1.0) -> None:
        del ramp_s, severity
        if fault not in self.faults:
            raise UnknownFault(f"no fault {fault!r}; known: {', '.join(self.faults)}")
        self.calls.append(("inject", fault))

    def clear(self, fault: str | None = None) -> None:
        if fault is not None and fault not in self.faults:
            raise UnknownFault(f"no fault {fault!r}")
        self.calls.append(("clear", fault))


def done(asked: Command, sensors: Mapping[str, object] | None = None, *, allow: bool = True) -> tuple[Outcome, Ears]:
    ears = Ears()
    return perform(asked, ears, sensors or {}, now_ns=1_000, allow_faults=allow), ears


@pytest.mark.parametrize(
    ("action", "heard"),
    [
        ("relearn", Word.RELEARN),
        ("confirm_normal", Word.NORMAL_NOW),
        ("false_alarm", Word.FALSE_ALARM),
        ("pause", 1_000 + 1_800_000_000_000),
        ("resume", "resume"),
    ],
)
def test_each_action_reaches_the_machine(action: str, heard: object) -> None:
    outcome, ears = done(command(action=action))
    assert outcome.ok
    assert ears.heard == [heard]
    assert outcome.changed is isinstance(heard, Word)


def test_a_confirmed_fault_reaches_the_model_with_what_was_reported_of_it() -> None:
    evidence = [Evidence(feature="vibration.rms", value=2.0, expected=1.0, unit="g", deviation=9.0)]
    asked = command(action="confirm_fault", cause="own-1", label="Splint fehlt", evidence=evidence)
    outcome, ears = done(asked)
    assert (outcome.ok, outcome.changed) == (True, True)
    assert "Splint fehlt" in outcome.reason
    assert ears.heard == [Confirmed("own-1", "Splint fehlt", {"vibration.rms": 9.0})]
    assert not done(command(action="confirm_fault"))[0].ok, "of what cause?"


def test_a_word_that_can_mean_nothing_is_answered_so() -> None:
    deaf = Ears(hears=False)
    asked = command(action="confirm_fault", cause="belt")
    outcome = perform(asked, deaf, {}, now_ns=1_000, allow_faults=True)
    assert (outcome.ok, outcome.code, outcome.changed) == (False, NO_ALARM, False)
    assert "no alarm" in outcome.reason
    outcome = perform(command(action="false_alarm"), deaf, {}, now_ns=1_000, allow_faults=True)
    assert (outcome.ok, outcome.code) == (False, NO_ALARM), "nobody is to believe that it was learned"
    assert outcome.reason == "no alarm is remembered that could be meant"


def test_a_pause_lasts_as_long_as_asked() -> None:
    outcome, ears = done(command(action="pause", seconds=2.5))
    assert (outcome.reason, ears.heard) == ("paused for 2.5 s", [2_500_001_000])


def test_a_pause_began_when_the_person_pressed_however_late_it_arrives() -> None:
    asked = command(action="pause", seconds=1800.0)

    def arrives(minutes: float | None) -> tuple[Outcome, list[object]]:
        ears = Ears()
        gateway_ns = None if minutes is None else NOW + round(minutes * MINUTE)
        return perform(asked, ears, {}, now_ns=1_000, allow_faults=False, gateway_ns=gateway_ns), ears.heard

    outcome, heard = arrives(10)
    assert (outcome.ok, outcome.reason) == (True, "paused for 1200 s, what was left of 1800 s")
    assert heard == [1_000 + 20 * MINUTE]
    for minutes in (30, 45):
        outcome, heard = arrives(minutes)
        assert (outcome.ok, outcome.code, heard) == (False, EXPIRED, []), "it does not begin when it is over"
        assert outcome.reason == "a pause of 1800 s that was over when it arrived"
    for minutes_or_unknown in (
        0.0001,
        -5,
        None,
    ):  # at once, from a clock that is ahead, and where nobody knows the time
        outcome, heard = arrives(minutes_or_unknown)
        assert outcome.reason == "paused for 1800 s"
        assert heard[0] == pytest.approx(1_000 + 30 * MINUTE, abs=10**8)


def test_the_product_is_what_a_person_says() -> None:
    outcome, ears = done(command(action="set_product", product="rye"))
    assert (outcome.ok, outcome.reason, ears.heard) == (True, "makes rye from now on", ["rye"])
    outcome, ears = done(command(action="set_product"))
    assert (outcome.ok, outcome.reason, ears.heard) == (False, "set_product needs the product's name", [])


def test_faults_reach_simulated_sensors_only_and_only_where_allowed() -> None:
    sensor = Breakable()
    sensors: dict[str, object] = {"host": object(), "sim": sensor}
    inject = command(action="inject_fault", fault="bearing_outer")
    assert done(inject, sensors, allow=False)[0].reason == "faults are not allowed here ([simulation] allow_faults)"
    assert done(inject, {"host": object()})[0].reason == "this machine has no simulated sensor"
    assert done(command(action="inject_fault"), sensors)[0].reason == "inject_fault needs the fault's name"
    outcome, _ = done(command(action="inject_fault", fault="flood"), sensors)
    assert (outcome.ok, outcome.reason) == (
        False,
        "sim: no fault 'flood'; known: bearing_outer, sensor_stuck",
    )
    assert sensor.calls == []
    assert done(inject, sensors)[0] == Outcome(ok=True, reason="inject_fault bearing_outer at sim")
    assert done(command(action="clear_fault"), sensors)[0].reason == "clear_fault all at sim"
    assert sensor.calls == [("inject", "bearing_outer"), ("clear", None)]


class DeskMachine(RuleBasedStateMachine):
    """Whatever comes twice, late or around restarts: each id is answered at most once, and none is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile  # noqa: PLC0415  # hypothesis makes this object outside of pytest's fixtures

        self.folder = tempfile.TemporaryDirectory()
        self.office = Office(Path(self.folder.name) / "j.sqlite")
        self.heard: set[str] = set()
        self.hands: list[Command] = []

    ids = st.sampled_from([f"c{i}" for i in range(6)])

    @rule(identifier=ids, late=st.booleans(), machine=st.sampled_from(["oven", "mixer"]))
    def hear(self, identifier: str, *, late: bool, machine: str) -> None:
        self.heard.add(identifier)
        self.office.desk.hear(command(identifier, machine=machine, expires_ns=NOW + (-1 if late else MINUTE)))

    @rule()
    def settle(self) -> None:
        self.office.desk.settle()

    @rule()
    def take(self) -> None:
        self.hands += self.office.desk.take("oven")

    @rule()
    def finish(self) -> None:
        if self.hands:
            self.office.desk.finish(self.hands.pop(0), Outcome(ok=True, reason=""))

    @rule()
    def restart(self) -> None:
        self.hands = []
        self.office.restart()

    @invariant()
    def answered_at_most_once(self) -> None:
        answered = [identifier for identifier, _, _ in self.office.replies]
        assert len(answered) == len(set(answered))
        in_hand = [one.id for one in self.hands]
        assert len(in_hand) == len(set(in_hand))
        assert not set(in_hand) & set(answered)

    def teardown(self) -> None:
        self.office.restart()
        self.office.desk.settle()
        for one in self.office.desk.take("oven"):
            self.office.desk.finish(one, Outcome(ok=True, reason=""))
        assert {identifier for identifier, _, _ in self.office.replies} == self.heard
        self.office.journal.close()
        self.folder.cleanup()


TestDeskMachine = DeskMachine.TestCase
TestDeskMachine.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
