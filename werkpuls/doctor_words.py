"""An examination in plain words, from the catalogue's section `doctor`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge.doctor.cameras import Camera
from edge.doctor.checks import Check, Level
from edge.doctor.devices import Device
from edge.doctor.examine import Report
from edge.doctor.live import Reading
from gateway.wording import Wording
from werkpuls.words import Words

MARKS = {Level.GOOD: "✓", Level.NOTE: "·", Level.PROBLEM: "✗"}
CHAPTERS = {
    "board": ("software", "time", "power", "heat", "memory", "disk"),
    "wired": ("interfaces", "access", "i2c", "spi", "onewire", "serial", "sensor"),
    "cameras": ("camera", "grading"),
    "config": ("config", "service"),
    "network": ("broker",),
}
"""Areas by the heading they come under."""


class DoctorWords:
    """One language."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._words = Words(wording.language)
        self._texts: dict[str, Any] = wording.catalogue["doctor"]

    def says(self, one: Check) -> str:
        """What is so, as one sentence."""
        return self._filled("says", one)

    def do(self, one: Check) -> str:
        """What to do about it; empty where nothing has to be done."""
        return self._filled("do", one)

    def lines(self, report: Report, name: str, config: Path | None) -> Iterator[str]:
        """The whole report for a terminal.

        Args:
            report: what was seen.
            name: the computer's.
            config: the file that proposals belong into.
        """
        page = self._texts["page"]
        yield str(self._texts["title"]).format(name=name)
        for chapter, areas in CHAPTERS.items():
            checks = [one for area in areas for one in report.checks if one.area == area]
            if not checks and chapter not in ("wired", "cameras"):
                continue
            yield ""
            yield str(page[chapter])
            if chapter == "wired":
                yield from self._devices(report.devices)
            elif chapter == "cameras":
                yield from self._cameras(report.cameras)
            for one in checks:
                yield from self._check(one)
            if chapter == "wired":
                yield from self._proposals("paste", [device.toml for device in report.devices], config)
            elif chapter == "cameras":
                yield from self._proposals("paste_camera", [camera.toml for camera in report.cameras], config)
        count = sum(one.level is Level.PROBLEM for one in report.checks)
        yield ""
        yield str(page["good" if not count else "problem" if count == 1 else "problems"]).format(count=count)

    def _check(self, one: Check) -> Iterator[str]:
        yield f"  {MARKS[one.level]} {self._texts['areas'][one.area]}: {self.says(one)}".rstrip()
        advice = self.do(one)
        if advice:
            yield f"    → {advice}" if one.level is Level.PROBLEM else f"      {advice}"

    def _devices(self, devices: Sequence[Device]) -> Iterator[str]:
        page = self._texts["page"]
        if not devices:
            yield f"  · {page['nothing_wired']}"
        for device in devices:
            state = page["configured" if device.found else "not_found"] if device.configured else page["new"]
            what = device.kind if device.found is None else f"{device.found.chip}, {device.found.place}"
            failed = device.outcome is not None and (device.outcome.error or device.outcome.silent)
            readings = () if device.outcome is None else device.outcome.readings
            bad = failed or any(one.faults or not one.count for one in readings)
            yield f"  {'✗' if bad else '✓'} {what}: {state.format(name=device.configured)}"
            if device.found is not None and not device.found.certain:
                yield f"      {page['uncertain']}"
            if device.outcome is None:
                yield f"      {page['not_read']}"
                continue
            if not device.outcome.readings and not failed:
                yield f"      {page['waiting']}"
            for reading in device.outcome.readings:
                yield from (f"      {line}" for line in self._reading(reading))

    def _cameras(self, cameras: Sequence[Camera]) -> Iterator[str]:
        page = self._texts["page"]
        if not cameras:
            yield f"  · {page['no_camera']}"
        for camera in cameras:
            what = camera.type if camera.found is None else f"{camera.found.what}, {camera.found.place}"
            look = camera.look
            bad = look is not None and (look.error or look.fault)
            state = page["configured" if camera.configured else "new"].format(name=camera.configured)
            yield f"  {'✗' if bad else '✓'} {what}: {state}"
            if look is not None and look.image is not None:
                shown = {"brightness": round(look.brightness), "sharpness": round(look.sharpness)}
                yield f"      {page['picture'].format(width=look.width, height=look.height, **shown)}"

    def _reading(self, reading: Reading) -> Iterator[str]:
        """One line for each axis."""
        page, channel = self._texts["page"], reading.channel
        unit = self._wording.word("units", channel.unit)
        for axis, value in enumerate(reading.value):
            name = channel.name if channel.axes == 1 else f"{channel.name}.{'xyz'[axis] if axis < 3 else f'a{axis}'}"
            noise = None if reading.noise is None else reading.noise[axis]
            places = _places(noise or 0.0, channel.resolution)
            yield str(page["reading"]).format(
                channel=self._wording.feature(name),
                value=self._measured(value, places),
                noise="" if noise is None else str(page["noise"]).format(noise=self._measured(noise, places)),
                unit=f" {unit}" if unit else "",
                rate=""
                if reading.rate_hz is None
                else str(page["rate"]).format(rate=self._wording.number(reading.rate_hz)),
            )

    def _proposals(self, word: str, tables: Sequence[str], config: Path | None) -> Iterator[str]:
        proposed = [toml for toml in tables if toml]
        if not proposed:
            return
        yield ""
        yield f"  {self._texts['page'][word]}".format(file=config or "node.toml")
        for toml in proposed:
            yield ""
            yield from toml.splitlines()

    def _filled(self, section: str, one: Check) -> str:
        text = self._texts[section].get(one.area, {}).get(one.code, "")
        return str(text).format(**{name: self._shown(name, value) for name, value in one.values.items()})

    def _shown(self, name: str, value: Any) -> str:
        if name == "often":
            return f" ({self._texts['often'][value]})" if value else ""
        if name == "channel":
            return self._wording.feature(str(value))
        if name == "error":
            return self._words.told(value)
        return self._wording.number(value) if isinstance(value, float) else str(value)

    def _measured(self, value: float, places: int | None) -> str:
        if places is None:
            return self._wording.number(value)
        # Adding 0 makes 0 of what would be -0.
        return f"{round(value, places) + 0.0:.{places}f}".replace(
            ".", str(self._wording.catalogue["language"]["decimal"])
        )


def _places(noise: float, resolution: float) -> int | None:
    """Decimals that mean something: two digits of the noise, one of the sensor's step; None where neither is known.

    >>> _places(0.0072, 0.001), _places(0.0, 0.0027), _places(12.0, 1.0), _places(0.0, 0.0)
    (4, 3, 0, None)
    """
    if noise > resolution:
        return min(max(1 - math.floor(math.log10(noise)), 0), 9)
    return min(max(-math.floor(math.log10(resolution)), 0), 9) if resolution > 0.0 else None
