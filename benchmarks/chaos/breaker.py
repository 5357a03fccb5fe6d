"""Breaks the machines themselves in mid-run, so that commands, alerts and events travel while everything else falls over."""

from __future__ import annotations

import time

from benchmarks.chaos.watch import Watch
from werkpuls.demo.plan import MachinePlan

LASTS_S = 25.0
PAUSE_S = 3.0


class Breaker:
    """Injects one fault after the other, each for a while, whenever the gateway can be asked.

    Args:
        watch: what is known of the site.
        machines: those with faults are used in turn.
    """

    def __init__(self, watch: Watch, machines: tuple[MachinePlan, ...]) -> None:
        self._watch = watch
        self._machines = [machine for machine in machines if machine.faults]
        self._turn = 0
        self._broken: MachinePlan | None = None
        self._next_s = 0.0
        self._last_command: str | None = None
        self.settled = False
        """Whether no machine is broken any more, and the last command was answered."""

    def turn(self) -> None:
        """Does what is due; call it often."""
        now = time.monotonic()
        if now < self._next_s or not self._watch.answers:
            return
        if self._broken is not None:
            if self._command(self._broken, {"action": "clear_fault"}):
                self._broken = None
                self._next_s = now + PAUSE_S
            return
        for _ in self._machines:
            machine = self._machines[self._turn % len(self._machines)]
            self._turn += 1
            if self._learned(machine) and self._command(
                machine, {"action": "inject_fault", "fault": machine.faults[0]}
            ):
                self._broken = machine
                self._next_s = now + LASTS_S
                return
        self._next_s = now + 1.0

    def heal(self) -> None:
        """Takes the present fault away, if there is one."""
        if self._broken is not None:
            self._next_s = min(self._next_s, time.monotonic())
            self.turn()
        elif self._last_command is None:
            self.settled = True
        else:
            fate = self._watch.client.get(f"/api/v1/commands/{self._last_command}")
            self.settled = fate is not None and fate["state"] not in ("queued", "sent")

    def _learned(self, machine: MachinePlan) -> bool:
        return any(seen["machine"] == machine.name and seen["learned"] >= 1.0 for seen in self._watch.machines)

    def _command(self, machine: MachinePlan, body: dict[str, str]) -> bool:
        path = f"/api/v1/machines/{machine.node}/{machine.name}/commands"
        answer = self._watch.client.post(path, {**body, "by": "chaos"})
        if not isinstance(answer, dict) or "id" not in answer:
            return False
        self._last_command = answer["id"]
        return True
