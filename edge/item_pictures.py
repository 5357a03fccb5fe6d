"""Pictures of single items: those that travel with an inspection, those that are kept, and what people said of them."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from edge.vision.decode import Image, decode, encode
from edge.vision.inspector import InspectedItem
from edge.vision.retention import Kept, Lessons, PictureStore
from edge.vision.small_picture import lesson_of, small_picture, why_picture
from models.quality.example import Example

RECENT = 8
"""Inspections whose picture is held in memory, so that a person can also correct what was called good."""
PICTURES = 12
"""Small pictures kept of one inspection at most: of a burnt tray these say as much as all of them."""
SHOWN, SHOWN_PX, SHOWN_QUALITY = 3, 160, 75
"""Pictures that travel with an inspection, how wide they are, and their JPEG quality: about 5 kB each."""
LONGEST = 12_000
"""The wire's limit for a picture's text."""
MOST_TEXT = 2 * SHOWN * LONGEST
"""So much text of pictures one message has at most, in a lesson too: with a thousand items it stays below the wire's limit."""


class About(NamedTuple):
    """Which inspection items belong to."""

    inspection: str
    batch: str
    product: str


class Asked(NamedTuple):
    """Of a lesson, in which a person is asked about every item."""

    room: int
    """So many more are pictured."""
    nets: tuple[str, ...]
    """What the net alone says of each item."""


class Shown(NamedTuple):
    """What travels of an item: base64 of JPEG."""

    picture: str
    seen: str
    """What the net saw in it."""
    within: tuple[float, float, float, float]
    """Its box in the picture, as fractions."""


class Correction(NamedTuple):
    """What became of a person's verdict."""

    before: str
    """The verdict until then."""
    product: str
    batch: str
    lesson: Example | None
    """What the item can teach; None where that was not kept."""
    lessons: str
    """How many there are now, in English."""


@dataclass(frozen=True, slots=True)
class _Item:
    """What is remembered of an item without its pictures."""

    box: tuple[float, float, float, float]
    label: str
    verdict: str
    confidence: float
    why: str
    example: Example
    net: str


class _Recent(NamedTuple):
    about: About
    jpeg: bytes
    items: tuple[_Item, ...]
    said: dict[int, Kept]
    """What people said of items by number, where no pictures are kept."""


class _Counts(msgspec.Struct):
    """Corrections by product, `good` and `reject` as a person said."""

    counts: dict[str, dict[str, int]] = {}


class ItemPictures:
    """Of one camera.

    Args:
        camera: its name.
        store: where they are kept.
        lessons: where corrected ones go.
        mark: what `state` gave before a restart, None for nothing.
        kept: whether pictures of items are kept and sent at all.
    """

    def __init__(self, camera: str, store: PictureStore, lessons: Lessons, mark: str | None, *, kept: bool) -> None:
        self._camera = camera
        self._store = store
        self._lessons = lessons
        self._kept = kept
        self._counted = _load(mark)
        self._recent: deque[_Recent] = deque(maxlen=RECENT)

    @property
    def state(self) -> str:
        """For a mark in the journal."""
        return msgspec.json.encode(self._counted).decode()

    @property
    def corrections(self) -> int:
        """How many verdicts people have corrected."""
        return sum(count for counts in self._counted.counts.values() for count in counts.values())

    def shown(
        self, found: Sequence[InspectedItem], crop: Image, labels: tuple[str, ...], asked: Asked | None = None
    ) -> dict[int, Shown]:
        """Pictures that travel with the message, by number: of some rejected or doubtful items, in a lesson of all there is room for."""
        if not self._kept:
            return {}
        shown, room = {}, MOST_TEXT
        for number, item in _doubtful(found)[:SHOWN] if asked is None else _whole(found, asked):
            picture, box = small_picture(crop, item.found.box, SHOWN_PX)
            x, y, width, height = (round(min(max(share, 0.0), 1.0), 4) for share in box)
            text, seen = _base64(encode(picture, SHOWN_QUALITY)), _base64(_why(item, labels, asked) or b"")
            room -= len(text) + len(seen)
            if room < 0:
                break
            shown[number] = Shown(text, seen, (x, y, width, height))
        return shown

    def keep(
        self,
        about: About,
        found: Sequence[InspectedItem],
        crop: Image,
        labels: tuple[str, ...],
        asked: Asked | None = None,
    ) -> None:
        """Keeps rejected and doubtful items on disk, in a lesson those that were shown, and all of them in memory for a while."""
        nets = asked.nets if asked is not None else ("",) * len(found)
        items = tuple(_item(each, net) for each, net in zip(found, nets, strict=True))
        recent = _Recent(about, encode(crop), items, {})
        self._recent.append(recent)
        if not self._kept:
            return
        try:
            for number, item in _doubtful(found)[:PICTURES] if asked is None else _whole(found, asked):
                picture, box = small_picture(crop, item.found.box)
                self._store.keep(_facts(recent, number, box), encode(picture), _why(item, labels, asked))
        except OSError as exc:
            logging.getLogger(__name__).warning("%s: no picture could be kept: %s", self._camera, exc)

    def correct(self, inspection: str, number: int, verdict: str, by: str, said_ns: int) -> Correction | None:
        """Makes a lesson of an item; None where its picture is no longer held.

        Args:
            inspection: its id.
            number: of the item, from 0.
            verdict: `good` or `reject`.
            by: who says so.
            said_ns: when. Commands may come in another order than they were given in.

        Raises:
            OSError: it could not be kept.
            ValueError: no such id, or something was said of the item later.
        """
        stored = self._store.find(inspection, number)
        known = self._remembered(inspection, number) if stored is None else (*stored, lesson_of(stored[0]))
        if known is None:
            return None
        facts, picture, lesson = known
        if said_ns < facts.said_ns:
            raise ValueError(f"a later verdict on item {number} of {inspection} holds, it is {facts.corrected}")
        before = facts.corrected or facts.verdict
        facts = msgspec.structs.replace(facts, corrected=verdict, by=by, said_ns=said_ns)
        self._lessons.add(facts, picture)
        if self._kept:
            self._store.keep(facts, picture)
        else:
            self._note(facts)
        counts = self._counted.counts.setdefault(facts.product, {})
        counts[verdict] = counts.get(verdict, 0) + 1
        good, bad = self._lessons.counts(facts.product)
        return Correction(before, facts.product, facts.batch, lesson, f"{good} good, {bad} bad lessons")

    def held(self, inspection: str, number: int) -> Kept | None:
        """What is held of an item on disk. From any thread.

        Raises:
            ValueError: no such id.
        """
        stored = self._store.find(inspection, number)
        return None if stored is None else stored[0]

    def tidy(self) -> None:
        """Deletes what is too old or too much."""
        self._store.tidy()

    def _remembered(self, inspection: str, number: int) -> tuple[Kept, bytes, Example | None] | None:
        for recent in self._recent:
            if recent.about.inspection == inspection and 0 <= number < len(recent.items):
                item = recent.items[number]
                picture, box = small_picture(decode(recent.jpeg, inspection), item.box)
                return recent.said.get(number) or _facts(recent, number, box), encode(picture), item.example
        return None

    def _note(self, facts: Kept) -> None:
        for recent in self._recent:
            if recent.about.inspection == facts.inspection:
                recent.said[facts.item] = facts


def _doubtful(items: Sequence[InspectedItem]) -> list[tuple[int, InspectedItem]]:
    """Rejected and doubtful items with their numbers, those first about which a person can say most: the least certain."""
    found = [(k, item) for k, item in enumerate(items) if item.verdict != "good" and not item.cut_off]
    return sorted(found, key=lambda one: one[1].confidence)


def _whole(items: Sequence[InspectedItem], asked: Asked) -> list[tuple[int, InspectedItem]]:
    """Items that a person is asked about, with their numbers, in the order in which they lie there."""
    return [(k, item) for k, item in enumerate(items) if not item.cut_off][: min(asked.room, PICTURES)]


def _why(item: InspectedItem, labels: tuple[str, ...], asked: Asked | None) -> bytes | None:
    """What the net saw; in a lesson nothing, as it does not know the product."""
    return None if asked is not None else why_picture(item, labels)


def _base64(jpeg: bytes) -> str:
    """What the wire takes; nothing where it is too long."""
    text = b64encode(jpeg).decode("ascii")
    return text if len(text) <= LONGEST else ""


def _item(item: InspectedItem, net: str) -> _Item:
    return _Item(item.found.box, item.label, item.verdict, item.confidence, ", ".join(item.why), item.example, net)


def _facts(recent: _Recent, number: int, box: tuple[float, float, float, float]) -> Kept:
    item = recent.items[number]
    return Kept(
        inspection=recent.about.inspection,
        item=number,
        product=recent.about.product,
        batch=recent.about.batch,
        box=box,
        label=item.label,
        verdict=item.verdict,
        confidence=item.confidence,
        why=item.why,
        net=item.net,
        measured=[float(value) for value in item.example.measured],
        embedding=[float(value) for value in item.example.embedding],
        baking=item.example.baking,
        light=item.example.light,
        tint=item.example.tint,
    )


def _load(mark: str | None) -> _Counts:
    try:
        return msgspec.json.decode(mark or "{}", type=_Counts)
    except msgspec.DecodeError:
        return _Counts()
