"""Small pictures of what was rejected or doubtful, kept for days and within megabytes; deletion is automatic and logged."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

DAY_NS = 86_400_000_000_000
_NAME = re.compile(r"^(?P<inspection>i-[0-9a-f]{1,40})-(?P<item>\d{1,4})\.jpg$")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is written beside a picture.

    Args:
        inspection: its id.
        item: which item of it, from 0.
        product: what it was taken for.
        batch: its id.
        box: x, y, width and height of the item within the small picture, as fractions.
        label: what was found.
        verdict: of the machine.
        net: what the net alone says, in a lesson.
        confidence: in it, 0 to 1.
        why: in English.
        corrected: a person's verdict, empty for none.
        by: who said so.
        said_ns: when it was said, as the gateway's clock has it, 0 for never.
        measured: with `embedding`, `baking`, `light` and `tint` what a correction teaches, see `models.quality.example`.
    """

    inspection: str
    item: int
    product: str
    batch: str
    box: tuple[float, float, float, float]
    label: str
    verdict: str
    confidence: float
    why: str = ""
    net: str = ""
    corrected: str = ""
    by: str = ""
    said_ns: int = 0
    measured: list[float] = []
    embedding: list[float] = []
    baking: float = 0.0
    light: float | None = None
    tint: tuple[float, float] | None = None


class PictureStore:
    """One camera's pictures in one folder: `<inspection>-<item>.jpg`, `.json` beside it, `.why.jpg` with what the net saw.

    Args:
        folder: made when the first picture is kept.
        days: nothing is older.
        max_mb: the oldest go first when more is held.
        wall_ns: this computer's own time, as files are dated by it.
        monotonic_ns: the clock, by which a jump of that time is noticed.
        known_ns: the time as it is known otherwise, of NTP or the gateway; None while nobody has told it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        days: float,
        max_mb: float,
        wall_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        known_ns: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._known_ns = known_ns
        self._folder = folder
        self._days_ns = round(days * DAY_NS)
        self._max_bytes = round(max_mb * 1e6)
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._ahead_ns: int | None = None
        self._jumped_ns: int | None = None
        self._bytes: int | None = None
        self.deleted = 0
        """Pictures deleted since start."""

    def keep(self, kept: Kept, picture: bytes, why: bytes | None = None) -> None:
        """Keeps a picture, and makes room for it.

        Args:
            kept: what it shows.
            picture: JPEG without anything drawn into it, so that it can teach.
            why: JPEG with the places that spoke for the verdict, where there are any.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(kept.inspection, kept.item)
        facts = msgspec.json.encode(kept)
        if why is not None:
            _write(path.with_suffix(".why.jpg"), why)
        _write(path.with_suffix(".json"), facts)
        _write(path, picture)
        if self._bytes is not None:
            self._bytes += len(picture) + len(facts) + len(why or b"")
        if self._bytes is None or self._bytes > self._max_bytes:
            self.tidy()

    def find(self, inspection: str, item: int) -> tuple[Kept, bytes] | None:
        """A picture that is still held, with its facts."""
        path = self._path(inspection, item)
        try:
            return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Kept), path.read_bytes()
        except (OSError, msgspec.MsgspecError):
            return None

    def tidy(self) -> int:
        """Deletes what is too old or too much; returns how many pictures. Call it now and then.

        Files that are not named like ours are left alone.
        """
        held = sorted(self._held())
        total = sum(size for _, size, _ in held)
        oldest = self._now_ns(held[-1][0] if held else None) - self._days_ns
        old = [entry for entry in held if entry[0] < oldest]
        gone = len(old)
        total -= sum(size for _, size, _ in old)
        while gone < len(held) and total > self._max_bytes:
            total -= held[gone][1]
            gone += 1
        for _, _, path in held[:gone]:
            for one in _files(path):
                with suppress(OSError):
                    one.unlink(missing_ok=True)
        self._bytes = total
        self.deleted += gone
        if gone:
            logging.getLogger(__name__).info(
                "%s: %d pictures deleted, %d because of their age, %d for room",
                self._folder,
                gone,
                len(old),
                gone - len(old),
            )
        return gone

    def _now_ns(self, newest_ns: int | None) -> int:
        """This computer's time, as far as it is believed: a clock that jumps to 2100 would take all pictures.

        What agrees with the time that is known otherwise is believed at once. Else a jump ahead of more than a day, since the last look
        or since the newest picture, is believed once it has lasted for a day.
        """
        now_ns, wall_ns, known_ns = self._monotonic_ns(), self._wall_ns(), self._known_ns()
        ahead_ns = wall_ns - now_ns
        if known_ns is not None and abs(wall_ns - known_ns) <= DAY_NS:
            self._ahead_ns, self._jumped_ns = ahead_ns, None
            return wall_ns
        if self._ahead_ns is None:
            self._ahead_ns = ahead_ns if newest_ns is None else min(ahead_ns, newest_ns - now_ns)
        if ahead_ns <= self._ahead_ns + DAY_NS:
            self._ahead_ns, self._jumped_ns = ahead_ns, None
        elif self._jumped_ns is None:
            self._jumped_ns = now_ns
        elif now_ns - self._jumped_ns >= DAY_NS:
            self._ahead_ns, self._jumped_ns = ahead_ns, None
        return now_ns + self._ahead_ns

    def _held(self) -> Iterator[tuple[int, int, Path]]:
        """When, how many bytes with what lies beside it, and the picture."""
        try:
            paths = list(self._folder.iterdir())
        except OSError:
            return
        for path in paths:
            if _NAME.match(path.name):
                with suppress(OSError):
                    size = sum(one.stat().st_size for one in _files(path) if one.exists())
                    yield path.stat().st_mtime_ns, size, path

    def _path(self, inspection: str, item: int) -> Path:
        """Raises ValueError for what is no inspection's id: it comes from outside and becomes a file's name."""
        name = f"{inspection}-{item}.jpg"
        if not _NAME.match(name):
            raise ValueError(f"{inspection!r} is no inspection's id")
        return self._folder / name


class Lessons:
    """Pictures that a person has judged: `<folder>/<product>/good|bad/`, which `werkpuls teach` takes as they are.

    Args:
        folder: made when it is needed.
        most: per product and verdict; the oldest go first.
    """

    def __init__(self, folder: Path, most: int = 200) -> None:
        self._folder = folder
        self._most = most

    def add(self, kept: Kept, picture: bytes) -> Path:
        """Keeps a corrected picture as an example of its `corrected` verdict.

        Raises:
            OSError: it cannot be written.
        """
        good = kept.corrected == "good"
        folder = self._folder / kept.product / ("good" if good else "bad")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kept.inspection}-{kept.item}.jpg"
        # It may have been called the opposite before.
        (self._folder / kept.product / ("bad" if good else "good") / path.name).unlink(missing_ok=True)
        _write(path, picture)
        held = sorted(folder.glob("i-*.jpg"), key=lambda one: one.stat().st_mtime_ns)
        for one in held[: max(0, len(held) - self._most)]:
            one.unlink(missing_ok=True)
        return path

    def counts(self, product: str) -> tuple[int, int]:
        """How many good and bad examples there are."""
        good, bad = (len(list((self._folder / product / name).glob("i-*.jpg"))) for name in ("good", "bad"))
        return good, bad


def _files(path: Path) -> tuple[Path, Path, Path]:
    return path, path.with_suffix(".json"), path.with_suffix(".why.jpg")


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all; a picture that a power cut takes is no loss, half a picture is a nuisance."""
    hidden = path.with_name(f".{path.name}.part")
    hidden.write_bytes(data)
    os.replace(hidden, path)  # noqa: PTH105  # the same, without a second object
