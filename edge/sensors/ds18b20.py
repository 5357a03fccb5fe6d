"""DS18B20 probes on the kernel's 1-wire bus (w1-gpio and w1-therm; Linux, Documentation/w1/slaves/w1_therm.rst).

A conversion takes 750 ms at 12 bits, and reading the kernel's file waits for it: a thread does that, `read` fetches what is
there. Where the daemon may write `therm_bulk_read`, all probes of a bus convert at once; else one after the other. The
resolution stays what the probe has in its memory; nothing is written to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from edge.sensors.background import Job, Runner, on_thread
from edge.sensors.base import Channel, Fault, Quantity, SensorConfigError, SensorError
from edge.sensors.polled import Polled, Reading
from edge.sensors.probing import Found, TreeProbe
from edge.sensors.registry import Surroundings
from edge.sensors.w1_scratchpad import HIGH_C, LOW_C, STEP_C, NoReading, PowerUpWatch, scratchpad
from wire.messages import Name

DEVICES = "sys/bus/w1/devices"
FAMILY = "28"
FAMILIES: Mapping[str, str] = {
    "01": "DS2401, a serial number",
    "10": "DS18S20 or DS1820",
    "22": "DS1822",
    "26": "DS2438, a battery monitor",
    "29": "DS2408, a switch",
    "3b": "MAX31850 or DS1825",
    "42": "DS28EA00",
}
"""What else may hang on the bus, by family code (Maxim application note 155)."""
GHOST = "00"
"""A line without a pull-up reads as devices with this family code."""
ATTEMPTS = 2
"""The kernel itself already asks several times."""
HANGS_S = 30.0


class Ds18b20Probe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several probes."""

    serial: Annotated[str, Meta(pattern=r"^28-[0-9a-f]{12}$")]
    """Name of its folder under /sys/bus/w1/devices."""
    channel: Name
    """Name of its channel."""


class Ds18b20Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `ds18b20` sensor. Without a table of probes, the only one on the bus is read."""

    probes: Annotated[list[Ds18b20Probe], Meta(max_length=32)] = field(name="probe", default_factory=list)
    """The probes by their serial numbers, each a table of its own."""
    channel: Name = "temperature"
    """Name of the only probe's channel; with [[machine.sensor.probe]] the names stand there."""
    every_s: Annotated[float, Meta(ge=1, le=3600)] = 5.0
    """Seconds between readings; a probe takes one, and several may take one each."""


class Ds18b20(Polled):
    """Probes of one machine; see the module.

    A probe that cannot be read is a fault of its own channel; the others go on.

    Args:
        config: which probes, how often.
        surroundings: clock and root folder.
        run: how a round of readings is run: on a thread.

    Raises:
        SensorConfigError: a serial number or a channel is named twice.
    """

    Config = Ds18b20Config

    def __init__(self, config: Ds18b20Config, surroundings: Surroundings, run: Runner = on_thread) -> None:
        for what in ("serial", "channel"):
            names = [getattr(probe, what) for probe in config.probes]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise SensorConfigError(f"two probes of {what} {twice}")
        names = [probe.channel for probe in config.probes] or [config.channel]
        channels = [
            Channel(name, "°C", Quantity.TEMPERATURE, LOW_C, HIGH_C, period_s=config.every_s, resolution=STEP_C)
            for name in names
        ]
        super().__init__(channels, config.every_s, surroundings.monotonic_ns)
        self._devices = Path(surroundings.root) / DEVICES
        self._wanted = [probe.serial for probe in config.probes]
        self._serials: list[str] = []
        self._watches: dict[str, PowerUpWatch] = {}
        self._run = run
        self._job: Job[list[bytes | str]] | None = None
        self._began_ns = 0

    def start(self) -> None:
        """Finds the probes and lets them convert; raises SensorError when none of them is there."""
        found = self._found()
        mine = [name for name in found if name.startswith(f"{FAMILY}-")]
        if self._wanted:
            if not set(self._wanted) & set(mine):
                raise SensorError(f"{', '.join(self._wanted)} expected under {self._devices}; {_told(found)}")
            self._serials = self._wanted
        elif len(mine) == 1:
            self._serials = mine
        elif mine:
            raise SensorError(
                f"{len(mine)} probes under {self._devices}: name each in a [[machine.sensor.probe]]: {', '.join(mine)}"
            )
        else:
            raise SensorError(f"a DS18B20 ({FAMILY}-…) expected under {self._devices}; {_told(found)}")
        self._begin()

    def measure(self) -> Sequence[Reading] | None:
        """What the last round found; None while it still goes on."""
        if self._job is None:
            self._begin()
        job = self._job
        if job is None or not job.done:
            waited_s = (self._monotonic_ns() - self._began_ns) / 1e9
            if waited_s > HANGS_S + len(self._serials):
                raise SensorError(f"{self._devices}: the 1-wire driver has not answered for {waited_s:.0f} s")
            return None
        self._job = None
        answers = zip(self._channels, self._serials, job.result(), strict=True)
        return [self._reading(channel, serial, answer) for channel, serial, answer in answers]

    def stop(self) -> None:
        """Forgets a round that is over; one that is not is the next start's first."""
        if self._job is not None and self._job.done:
            self._job = None

    def _begin(self) -> None:
        if self._job is not None and not self._job.done:
            # Never a second one beside one that hangs.
            return
        self._began_ns = self._monotonic_ns()
        self._job = Job(self._round, self._run)

    def _reading(self, channel: Channel, serial: str, answer: bytes | str) -> Reading:
        if isinstance(answer, str):
            return Reading(channel, faults=((Fault.BUS, f"{channel.name}: {serial}: {answer}"),))
        watch = self._watches.setdefault(serial, PowerUpWatch())
        try:
            return Reading(channel, watch.temperature_c(answer, self._monotonic_ns()))
        except NoReading as exc:
            return Reading(channel, faults=((Fault.NO_DATA, f"{channel.name}: {serial}: {exc}"),))

    def _found(self) -> list[str]:
        try:
            return sorted(path.name for path in self._devices.iterdir() if not path.name.startswith("w1_bus_master"))
        except OSError as exc:
            raise SensorError(
                f"{self._devices}: {exc.strerror}: 1-wire is switched off; raspi-config, Interface Options, 1-Wire"
            ) from exc

    def _round(self) -> list[bytes | str]:
        """Each probe's scratchpad, or why there is none; on its own thread, and may take a second for each."""
        if len(self._serials) > 1:
            self._convert_together()
        return [self._ask(serial) for serial in self._serials]

    def _convert_together(self) -> None:
        for trigger in sorted(self._devices.glob("w1_bus_master*/therm_bulk_read")):
            try:
                # With the newline: the kernel takes these eight bytes and no others.
                trigger.write_text("trigger\n", encoding="ascii")
            except OSError:
                # Not allowed, or an old kernel: then each converts when it is read.
                continue

    def _ask(self, serial: str) -> bytes | str:
        why = ""
        for _ in range(ATTEMPTS):
            try:
                return scratchpad((self._devices / serial / "w1_slave").read_text(encoding="ascii", errors="replace"))
            except NoReading as exc:
                why = str(exc)
            except OSError as exc:
                why = f"{exc.strerror}: the probe is not there"
        return why


def _told(found: Sequence[str]) -> str:
    if not found:
        return "the bus is empty: check the plug and the 4.7 kΩ pull-up"
    if any(name.startswith(f"{GHOST}-") for name in found):
        return f"found {', '.join(found)}, which is noise: the line has no 4.7 kΩ pull-up"
    named = (f"{name} ({FAMILIES[name[:2]]})" if name[:2] in FAMILIES else name for name in found)
    return f"found {', '.join(named)}"


def _find(root: Path) -> Iterator[Found]:
    """The probes that the kernel has found, each as a sensor of its own."""
    serials = sorted(path.name for path in (root / DEVICES).glob(f"{FAMILY}-*"))
    for number, serial in enumerate(serials, start=1):
        channel = "temperature" if number == 1 else f"temperature_{number}"

        def means(options: Mapping[str, Any], serial: str = serial) -> bool:
            named = [probe["serial"] for probe in options["probe"]]
            return serial in named or (not named and len(serials) == 1)

        yield Found("DS18B20", serial, {"probe": [{"serial": serial, "channel": channel}]}, means=means)


PROBES = (TreeProbe(_find, interface="1-Wire"),)
