"""One sensor of a running machine: opened, read, and opened again when it fails, with growing pauses.

Whatever a sensor raises becomes a reading with an error's text: a sensor never stops the daemon.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from edge.machine import SensorReading
from edge.sensors.base import Channel, Fault, Sensor, SensorConfigError, SensorError
from wire.messages import SensorState

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


class SensorFeed:
    """Reads one sensor; all calls from the machine's own thread, except `state`.

    Args:
        machine, name: whose sensor, and its name there.
        make: gives a new, unopened sensor.
    """

    def __init__(self, machine: str, name: str, make: Callable[[], Sensor]) -> None:
        self.machine = machine
        self.name = name
        self.channels: tuple[Channel, ...] = ()
        """What it delivers; empty until it is known, then kept over failures."""
        self.failures = 0
        self.lost = 0
        self._make = make
        self._sensor: Sensor | None = None
        self._opened = False
        self._error: str | None = None
        self._pause_s = FIRST_PAUSE_S
        self._retry_ns = 0

    @property
    def sensor(self) -> Sensor | None:
        """The sensor, for what only some types can do (inject a fault, and take it away while it cannot be read)."""
        return self._sensor

    @property
    def error(self) -> str | None:
        """Why it delivers nothing now; None while it works."""
        return self._error

    def open(self, now_ns: int) -> None:
        """Tries to open it; a failure is kept for the next reading.

        A sensor that failed is opened again, not made anew, unless it raised what no sensor should.

        Raises:
            SensorConfigError: it can never work as configured.
        """
        try:
            if self._sensor is None:
                self._sensor = self._make()
                self._learn_channels()
            self._sensor.open()
        except SensorConfigError:
            self._shut()
            raise
        except Exception as exc:  # noqa: BLE001  # any driver error is a sensor fault, never the daemon's end
            self._fail(exc, now_ns)
            return
        self._opened = True
        self._learn_channels()

    def read(self, now_ns: int) -> SensorReading:
        """What has arrived since the last call, or why nothing can; never raises."""
        if not self._opened:
            if now_ns < self._retry_ns:
                return self._failed()
            try:
                self.open(now_ns)
            except SensorConfigError as exc:
                self._fail(exc, now_ns)
        if not self._opened or self._sensor is None:
            return self._failed()
        try:
            blocks = list(self._sensor.read())
            self.lost += sum(max(block.lost, 0) for block in blocks)
        except Exception as exc:  # noqa: BLE001  # any driver error is a sensor fault, never the daemon's end
            self._fail(exc, now_ns)
            return self._failed()
        if self._error is not None:
            logging.getLogger(__name__).info("%s/%s: works again", self.machine, self.name)
        self._error, self._pause_s = None, FIRST_PAUSE_S
        return SensorReading(sensor=self.name, blocks=blocks)

    def state(self, faults: Mapping[str, tuple[Fault, str]]) -> SensorState:
        """For the node's health; `faults` by channel as the machine's last step found them."""
        if self._error is not None:
            fault, detail = Fault.BUS.value, self._error
        else:
            own = next((faults[channel.name] for channel in self.channels if channel.name in faults), None)
            fault, detail = (own[0].value, own[1]) if own is not None else ("", "")
        return SensorState(
            name=self.name, machine=self.machine, ok=not fault, fault=fault, detail=detail[:500], lost_samples=self.lost
        )

    def close(self) -> None:
        """Releases the sensor; whatever it raises then no longer matters."""
        self._shut()
        self._sensor = None

    def _shut(self) -> None:
        self._opened = False
        if self._sensor is not None:
            with suppress(Exception):
                self._sensor.close()

    def _failed(self) -> SensorReading:
        return SensorReading(sensor=self.name, blocks=(), error=self._error or "not open")

    def _learn_channels(self) -> None:
        if self._sensor is not None:
            with suppress(SensorError):
                self.channels = _unique(self._sensor.channels) or self.channels

    def _fail(self, exc: Exception, now_ns: int) -> None:
        text = str(exc) if isinstance(exc, SensorError) else f"{type(exc).__name__}: {exc}"
        if text != self._error:
            logging.getLogger(__name__).warning("%s/%s: %s", self.machine, self.name, text)
        self._error = text
        self.failures += 1
        self._shut()
        if not isinstance(exc, SensorError):
            self._sensor = None
        self._retry_ns = now_ns + round(self._pause_s * 1e9)
        self._pause_s = min(self._pause_s * 2.0, LONGEST_PAUSE_S)


def _unique(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    return tuple({channel.name: channel for channel in channels}.values())
