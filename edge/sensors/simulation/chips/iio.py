"""A simulated accelerometer of the kernel: its attributes as files under a root folder, its buffer as a pipe.

It honours what is written to its attributes when `step` is called: which channels are on, the buffer, the rate. Like the
kernel it drops what nobody reads, without a word.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.sensors.iio import STANDARD_GRAVITY
from edge.sensors.iio_device import ACCELERATION, DEVICES, TIMESTAMP, Element, element
from edge.sensors.simulation.chips.accelerometer import Oscillator, Waveform, at_rest


@dataclass(frozen=True, slots=True)
class IioChip:
    """What a driver says of its chip: name, format of a value, scale in m/s² per step, rates."""

    name: str
    kind: str
    scale: str
    scales: str = ""
    rate: str = "800"
    rates: str = "100 200 400 800 1600"
    offset: str = ""
    timestamp: bool = True


ADXL345 = IioChip("adxl345", "le:s13/16>>0", "0.038300", rate="800.000000", rates="100 200 400 800 1600 3200")
"""drivers/iio/accel/adxl345_core.c."""
LIS3DH = IioChip(
    "lis3dh_accel",
    "le:s12/16>>4",
    "0.0392266",
    "0.00980665 0.0196133 0.0392266 0.117680",
    rate="400",
    rates="1 10 25 50 100 200 400 1344",
)
"""drivers/iio/accel/st_accel_core.c."""
ADXL355 = IioChip("adxl355", "be:s20/32>>4", "0.0000382459", rate="1000.000000", rates="4000 2000 1000 500 250 125")
"""drivers/iio/accel/adxl355_core.c: three bytes of value, one that is not used."""


class SimulatedIio:
    """One device; see the module.

    Args:
        root: root of /sys and /dev.
        chip: what it says of itself.
        monotonic_ns: the node's clock.
        error: by which share its oscillator is too fast.
        waveform: what happens to it.
        number: of the device.
    """

    def __init__(
        self,
        root: Path,
        chip: IioChip,
        monotonic_ns: Callable[[], int],
        error: float = 0.0,
        waveform: Waveform = at_rest,
        *,
        number: int = 0,
    ) -> None:
        self.chip = chip
        self.oscillator = Oscillator(monotonic_ns, error, waveform)
        self.dropped = 0
        self._monotonic_ns = monotonic_ns
        self.folder = root / DEVICES / f"iio:device{number}"
        self.node = root / "dev" / f"iio:device{number}"
        self._pipe = -1
        self.plug()

    def plug(self) -> None:
        """The device appears, its buffer off."""
        (self.folder / "scan_elements").mkdir(parents=True, exist_ok=True)
        (self.folder / "buffer").mkdir(exist_ok=True)
        self.node.parent.mkdir(parents=True, exist_ok=True)
        chip = self.chip
        attributes = {
            "name": chip.name,
            "in_accel_scale": chip.scale,
            "in_accel_scale_available": chip.scales,
            "in_accel_offset": chip.offset,
            "sampling_frequency": chip.rate,
            "sampling_frequency_available": chip.rates,
            "buffer/enable": "0",
            "buffer/length": "2",
        }
        if chip.timestamp:
            attributes["current_timestamp_clock"] = "realtime\n\0"
        elements = [*zip(ACCELERATION, [chip.kind] * 3, strict=True)]
        if chip.timestamp:
            elements.append((TIMESTAMP, "le:s64/64>>0"))
        for index, (name, kind) in enumerate(elements):
            attributes |= {
                f"scan_elements/{name}_en": "0",
                f"scan_elements/{name}_index": str(index),
                f"scan_elements/{name}_type": kind,
            }
        for name, content in attributes.items():
            if content:
                (self.folder / name).write_text(f"{content}\n")
        if not self.node.exists():
            os.mkfifo(self.node)

    def pull(self) -> None:
        """The device disappears with everything that belongs to it."""
        self._hang_up()
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        self.folder.rmdir()
        self.node.unlink()

    def step(self) -> None:
        """Takes up what was written to the attributes, and puts what was sampled since into the buffer."""
        on = self._said("buffer/enable") == "1"
        self.oscillator.run(float(self._said("sampling_frequency")) if on else 0.0)
        if not on:
            self._hang_up()
            return
        if self._pipe < 0:
            with suppress(OSError):
                self._pipe = os.open(self.node, os.O_WRONLY | os.O_NONBLOCK)
        samples = self.oscillator.samples()
        if not len(samples):
            return
        for record in self._records(samples):
            try:
                os.write(self._pipe, record)
            except OSError:
                self.dropped += 1

    def _records(self, samples: np.ndarray) -> list[bytes]:
        step_g = float(self._said("in_accel_scale")) / STANDARD_GRAVITY
        offset = float(self.chip.offset or 0.0)
        names = [name for name in (*ACCELERATION, TIMESTAMP) if self._said(f"scan_elements/{name}_en") == "1"]
        records = []
        period_ns = 1e9 / self.oscillator.rate_hz
        for place, row in enumerate(samples):
            record = b""
            widest = 1
            for name in names:
                one = element(name, "0", self._said(f"scan_elements/{name}_type"))
                if name == TIMESTAMP:
                    value = round(self._stamp() - (len(samples) - 1 - place) * period_ns)
                else:
                    value = round(row[ACCELERATION.index(name)] / step_g - offset)
                    value = min(max(value, -one.steps), one.steps - 1)
                record += bytes(-len(record) % one.size) + _bytes(value, one)
                widest = max(widest, one.size)
            records.append(record + bytes(-len(record) % widest))
        return records

    def _stamp(self) -> int:
        real = self._said("current_timestamp_clock") == "realtime"
        return self._monotonic_ns() + (1_700_000_000_000_000_000 if real else 0)

    def _said(self, attribute: str) -> str:
        path = self.folder / attribute
        return path.read_text().strip(" \n\0") if path.exists() else ""

    def _hang_up(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def _bytes(value: int, one: Element) -> bytes:
    raw = (value & ((1 << one.real_bits) - 1)) << one.shift
    return raw.to_bytes(one.size, "big" if one.big_endian else "little")
