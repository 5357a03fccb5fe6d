"""A fault that a person confirmed is reported by name the next time: from the sensors to what the gateway reads, over a restart."""

from __future__ import annotations

import json

from support.sensor_contract import FakeClock
from support.simulation import simulated

from edge.commands import perform
from edge.drafts import Drafter
from edge.findings import FindingChange
from edge.machine import MachinePath, MachineSetup, SensorReading
from models.condition.contract import Confirmed, Word
from models.condition.model import Condition
from models.condition.settings import Settings
from wire.clock import Stamp
from wire.codec import Codec
from wire.commands import Command
from wire.envelope import Draft, Envelope
from wire.messages import EARLIEST_NS, Finding, Trust

ENVELOPE = Envelope("bakery", "pi", "sense", "log")


class Mixer:
    """A simulated mixer with its path."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sensor = simulated("mixer", self.clock, schedule="continuous", seed=3)
        self.sensor.open()
        self.path = self.made()

    def made(self) -> MachinePath:
        setup = MachineSetup("mixer", "mixer", 1.0)
        return MachinePath(setup, self.sensor.channels, Condition(Settings(warmup=120, kind="mixer")))

    def run(self, seconds: int) -> list[FindingChange]:
        told: list[FindingChange] = []
        for _ in range(seconds):
            self.clock.step(1.0)
            self.step = self.path.step(self.clock(), [SensorReading("mixer", self.sensor.read())])
            told += self.step.findings
        return told

    def hear(self, word: Word, confirmed: Confirmed | None = None) -> bool:
        return self.path.hear(word, confirmed)

    def pause(self, until_ns: int) -> None:
        self.path.pause(until_ns)

    def resume(self) -> None:
        self.path.resume()

    def make(self, product: str) -> None:
        raise AssertionError(product)

    def sent(self, change: FindingChange) -> Finding:
        record = Drafter(ENVELOPE, "boot").finding("mixer", self.step, change, self.step.sample.info)  # type: ignore[union-attr]  # judged each second
        stamp = Stamp(EARLIEST_NS, Trust.SYNCED)
        payload = ENVELOPE.seal(Draft(record.stream, record.boot, record.payload), seq=1, prev=0, stamp=stamp)
        message = Codec().decode(payload, now_ns=EARLIEST_NS)
        assert isinstance(message, Finding)
        return message


def test_a_confirmed_fault_is_reported_by_name_the_next_time() -> None:
    mixer = Mixer()
    assert mixer.run(150) == []
    mixer.sensor.inject("looseness", ramp_s=5.0)
    told = mixer.run(30)
    assert told[0].state == "open"
    reported = mixer.sent(told[-1])
    assert not any(cause.recognised for cause in reported.causes)
    command = Command(
        id="c1",
        machine="mixer",
        action="confirm_fault",
        issued_ns=0,
        expires_ns=1,
        cause="own-foot",
        label="Fuß hinten links",
        evidence=reported.evidence,
    )
    heard = Codec().decode_as(Command, Codec().encode(command))
    assert perform(heard, mixer, {}, now_ns=0, allow_faults=False).ok
    mixer.sensor.clear()
    mixer.run(60)
    state = json.loads(json.dumps(mixer.path.snapshot(), allow_nan=False))
    mixer.path = mixer.made()
    mixer.path.restore(state)
    mixer.sensor.inject("looseness", ramp_s=5.0, severity=0.6)
    found = [mixer.sent(change) for change in mixer.run(40)]
    assert found, "the fault is found again"
    last = found[-1]
    assert (last.cause, last.causes[0].label, last.causes[0].recognised) == ("own-foot", "Fuß hinten links", True)
    assert last.causes[0].confidence > 0.85
