"""Any accelerometer that the kernel serves through Industrial I/O, by its buffer.

The kernel's driver has found, identified and set the chip; this fetches what it buffers. Which of the two reads a chip is
a choice: with a `dtoverlay` the kernel holds it, and the type of that chip here finds its bus address busy. The kernel
drains a FIFO on the chip's interrupt line, better than a program can, and does not say when its own buffer overflowed:
that is noticed by the count of samples.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from edge.sensors.accelerometer import LONGEST_KEPT_S
from edge.sensors.base import Block, Channel, Quantity, SensorError
from edge.sensors.iio_device import TIMESTAMP, IioDevice, Records, devices
from edge.sensors.probing import Found, TreeProbe
from edge.sensors.registry import Surroundings
from edge.sensors.sampler import Sampler
from edge.sensors.stream import Drained, Stream
from wire.messages import ChannelName

STANDARD_GRAVITY = 9.80665
"""m/s² per g; the kernel's acceleration is in m/s² (sysfs-bus-iio, in_accel_scale)."""
BUFFER_S = 2.0
LEAST_BUFFER = 128
DRAIN_S = 0.05
LONGEST_READ = 1 << 16
CLOCK = "boottime"
"""The clock of the node, as `current_timestamp_clock` calls it."""
OLDEST_NS = 1_000_000_000
"""A record's time further back than this is not that of the node's clock."""


class IioConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of an `iio` sensor."""

    channel: Annotated[ChannelName, Meta(description="name of the channel; two sensors of a machine need two")] = (
        "vibration"
    )
    device: Annotated[
        str,
        Meta(description="name of the chip (adxl345) or its number (iio:device0); without it, the only accelerometer"),
    ] = ""
    rate_hz: (
        Annotated[
            float,
            Meta(gt=0.0, le=100_000.0, description="samples a second; what is set already when left out"),
        ]
        | None
    ) = None
    range_g: (
        Annotated[float, Meta(gt=0.0, le=1000.0, description="largest acceleration; what is set already when left out")]
        | None
    ) = None
    trigger: Annotated[
        str, Meta(description="name of the trigger, for drivers that have none of their own; an hrtimer for instance")
    ] = ""


class Iio:
    """One accelerometer of the kernel; see the module.

    Args:
        config: which, and how fast.
        surroundings: clock, and root of /sys and /dev.
        background: drain on a thread; a test calls `pump` instead.
    """

    Config = IioConfig

    def __init__(self, config: IioConfig, surroundings: Surroundings, *, background: bool = True) -> None:
        self._config = config
        self._root = Path(surroundings.root)
        self._monotonic_ns = surroundings.monotonic_ns
        self._interval_s = surroundings.interval_s
        self._background = background
        self._device: IioDevice | None = None
        self._channel: Channel | None = None
        self._sampler: Sampler[Drained] | None = None
        self._file = -1

    @property
    def channels(self) -> Sequence[Channel]:
        """One, in g; raises SensorError while there is no such device."""
        if self._channel is None:
            self._channel = self._describe(self._find())
        return (self._channel,)

    def open(self) -> None:
        """Finds the device, sets rate and range, and switches its buffer on; raises SensorError."""
        self.close()
        device = self._find()
        self._device = device
        try:
            self._start(device)
        except BaseException:
            self.close()
            raise

    def pump(self) -> None:
        """One drain, where no thread makes them; raises SensorError."""
        if self._sampler is not None:
            self._sampler.pump()

    def read(self) -> Sequence[Block]:
        """Blocks since the last call; raises SensorError when the device fails."""
        if self._sampler is None:
            raise SensorError("iio is not open")
        return self._sampler.take()

    def close(self) -> None:
        """Switches the buffer off; safe to call twice."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            sampler.stop()
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1
        device, self._device = self._device, None
        if device is not None:
            with suppress(SensorError):
                device.put("buffer/enable", "0")

    def _find(self) -> IioDevice:
        wanted = self._config.device
        present = list(devices(self._root))
        able = [one for one in present if one.axes]
        matching = [one for one in able if wanted in ("", one.number, one.name)]
        if len(matching) == 1:
            return matching[0]
        there = ", ".join(f"{one.number} ({one.name_or_unknown})" for one in present) or "none"
        what = f"called {wanted!r}" if wanted else "at all"
        if matching:
            raise SensorError(f"iio: {len(matching)} accelerometers {what}; `device` has to say which: {there}")
        raise SensorError(f"iio: no buffered accelerometer {what}; devices of the kernel: {there}")

    def _start(self, device: IioDevice) -> None:
        device.ensure("buffer/enable", "0")
        if self._config.rate_hz is not None:
            self._set_rate(device, self._config.rate_hz)
        if self._config.range_g is not None:
            self._set_range(device, self._config.range_g)
        if self._config.trigger:
            device.ensure("trigger/current_trigger", self._config.trigger)
        channel = self._describe(device)
        # A new rate or range is another channel; the same one stays the same.
        self._channel = channel if channel != self._channel else self._channel
        timed = device.has(f"scan_elements/{TIMESTAMP}_en") and self._same_clock(device)
        names = (*device.axes, *([TIMESTAMP] if timed else []))
        device.switch_on(names)
        rate_hz = channel.rate_hz or 1.0
        device.ensure("buffer/length", str(max(round(BUFFER_S * rate_hz), LEAST_BUFFER)))
        try:
            self._file = os.open(device.node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise device.failed(f"/dev/{device.number}", exc) from exc
        device.put("buffer/enable", "1")
        drain = _Drain(device, self._file, Records([device.element(name) for name in names]), self._monotonic_ns)
        self._sampler = Sampler(
            drain,
            Stream(channel, keep_s=LONGEST_KEPT_S, counts_unfetched=self._interval_s <= LONGEST_KEPT_S / 2),
            self._monotonic_ns,
            every_s=DRAIN_S,
            check=lambda: _check(device),
            name=f"iio-{device.number}",
        )
        if self._background:
            self._sampler.start()

    def _describe(self, device: IioDevice) -> Channel:
        rate_hz = device.number_of("sampling_frequency", "in_accel_sampling_frequency") or self._config.rate_hz
        if not rate_hz:
            raise SensorError(
                f"{device.number} ({device.name_or_unknown}) does not say how fast it samples; rate_hz is needed"
            )
        elements = [device.element(axis) for axis in device.axes]
        scale = max(_scale_g(device, axis) for axis in device.axes)
        steps = max(one.steps for one in elements)
        return Channel(
            self._config.channel,
            "g",
            Quantity.VIBRATION,
            low=-steps * scale,
            high=steps * scale,
            axes=len(elements),
            rate_hz=rate_hz,
            period_s=self._interval_s,
            resolution=scale,
        )

    def _set_rate(self, device: IioDevice, rate_hz: float) -> None:
        for prefix in ("", "in_accel_"):
            name = f"{prefix}sampling_frequency"
            if device.has(name):
                offered = _numbers(device.text(f"{name}_available", default=""))
                nearest = min(offered, key=lambda one: abs(one - rate_hz), default=rate_hz)
                if device.number_of(name) != nearest:
                    device.put(name, f"{nearest:.9g}")
                return

    def _set_range(self, device: IioDevice, range_g: float) -> None:
        axis = device.axes[0]
        steps = device.element(axis).steps
        for prefix in ("in_accel_", f"{axis}_"):
            offered = sorted(_numbers(device.text(f"{prefix}scale_available", default="")))
            if offered and device.has(f"{prefix}scale"):
                wide = [one for one in offered if one * steps / STANDARD_GRAVITY >= 0.99 * range_g]
                device.put(f"{prefix}scale", f"{wide[0] if wide else offered[-1]:.9g}")
                return

    def _same_clock(self, device: IioDevice) -> bool:
        if not device.has("current_timestamp_clock"):
            return False
        with suppress(SensorError):
            device.ensure("current_timestamp_clock", CLOCK)
        return device.text("current_timestamp_clock", default="") == CLOCK


class _Drain:
    """Reads whole records from the device file."""

    def __init__(self, device: IioDevice, file: int, records: Records, monotonic_ns: Callable[[], int]) -> None:
        self._device = device
        self._file = file
        self._records = records
        self._monotonic_ns = monotonic_ns
        self._axes = sorted(one.name for one in records.elements if one.name != TIMESTAMP)
        self._scales = np.array([_scale_g(device, axis) for axis in self._axes])
        self._offsets = np.array([_offset(device, axis) for axis in self._axes])
        self._begun = b""

    def __call__(self) -> Drained:
        data = bytearray(self._begun)
        while len(data) < LONGEST_READ:
            try:
                more = os.read(self._file, self._records.size * 256)
            except BlockingIOError:
                break
            except OSError as exc:
                raise self._device.failed(f"/dev/{self._device.number}", exc) from exc
            if not more:
                break
            data += more
        now_ns = self._monotonic_ns()
        whole = len(data) // self._records.size * self._records.size
        self._begun = bytes(data[whole:])
        found = self._records.values(bytes(data[:whole]))
        values = np.column_stack([found[axis] for axis in self._axes]).astype(np.float64)
        at_ns = now_ns
        if TIMESTAMP in found and len(values):
            newest_ns = int(found[TIMESTAMP][-1])
            at_ns = newest_ns if 0 <= now_ns - newest_ns < OLDEST_NS else now_ns
        return Drained(at_ns, (values + self._offsets) * self._scales)


def _check(device: IioDevice) -> None:
    if device.text("buffer/enable") != "1":
        raise SensorError(f"{device.number} ({device.name_or_unknown}): its buffer was switched off by somebody else")


def _scale_g(device: IioDevice, axis: str) -> float:
    scale = device.number_of(f"{axis}_scale", "in_accel_scale")
    if not scale or scale < 0.0:
        raise SensorError(f"{device.number} ({device.name_or_unknown}) has no scale for {axis}")
    return scale / STANDARD_GRAVITY


def _offset(device: IioDevice, axis: str) -> float:
    return device.number_of(f"{axis}_offset", "in_accel_offset") or 0.0


def _numbers(text: str) -> list[float]:
    """Values that a driver offers; a range in brackets offers none to choose from."""
    if text.startswith("["):
        return []
    found = []
    for word in text.split():
        with suppress(ValueError):
            found.append(float(word))
    return found


def _probe(root: Path) -> Iterator[Found]:
    for device in devices(root):
        if device.axes:
            name = device.name or device.number
            yield Found(f"{device.name_or_unknown} (by the kernel)", device.number, {"device": name})


PROBES = (TreeProbe(_probe),)
