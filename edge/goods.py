"""One camera's path: pictures → is it a picture → items → batch → messages, small pictures and findings; and back: corrections."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2s
from threading import Lock

import msgspec

from edge.camera_findings import CameraFindings
from edge.camera_options import CameraOptions, minutes
from edge.counting import Counting
from edge.drafts import Drafter
from edge.drift import Drifted, DriftWatch
from edge.grading import Grading
from edge.item_pictures import About, Asked, Correction, ItemPictures
from edge.item_telling import seen_item, told_item
from edge.lesson import Lesson, PresentLesson
from edge.pausing import kept_pause, pause_mark
from edge.products import Products
from edge.quality_findings import QualityFindings
from edge.surroundings import Surroundings
from edge.vision.batches import Batch, Batches
from edge.vision.camera import BadPicture, Frame
from edge.vision.camera_check import CameraCheck
from edge.vision.decode import Image
from edge.vision.inspector import InspectionResult, Inspector, ProfileMismatch
from edge.vision.tracking import Tracker
from wire.commands import Command
from wire.journal import Record
from wire.messages import Inspection

MOST_ITEMS = 1000
"""The wire's limit."""
LEAST_PX = 32
TIDY_NS = 600_000_000_000


class GoodsPath:
    """One camera's pictures become inspections.

    Args:
        options: of the camera.
        grading: who grades; None: only the camera itself is looked after.
        products: which product lies there.
        check: whether it is a picture.
        pictures: of items, and what people said of them.
        drafter: makes the records.
        world: clock and journal.
        belt: follows items from picture to picture, so that each is counted once; None: each picture is a tray of its own.
    """

    def __init__(
        self,
        options: CameraOptions,
        grading: Grading | None,
        products: Products,
        check: CameraCheck,
        pictures: ItemPictures,
        drafter: Drafter,
        world: Surroundings,
        *,
        belt: Tracker | None,
    ) -> None:
        self.inspections = 0
        self.items = 0
        self.trouble = ""
        """Why the last picture could not be graded, empty where it could."""
        self.camera = CameraFindings(options, drafter, world.mark(f"camera/{options.name}"))
        self.products = products
        self.lesson = PresentLesson(world.mark(f"lesson/{options.name}"))
        self._options = options
        self._grading = grading
        self._check = check
        self._pictures = pictures
        self._drafter = drafter
        self._world = world
        self._counting = Counting(belt, world.mark(f"sizes/{options.name}"))
        self._findings = QualityFindings(
            options.name, options.machine, options.reject_above, drafter, world.mark(f"quality/{options.name}")
        )
        self._batches = Batches(
            options.name,
            world.boot,
            load_gap_s=options.load_gap_s,
            shifts_min=sorted(minutes(start) for start in options.shifts),
        )
        self._batches.resume(_batch(world.mark(f"batch/{options.name}")))
        unit = "px" if grading is None or grading.calibration is None else "mm"
        self._drift = DriftWatch(options.name, unit, world.mark(f"charts/{options.name}"))
        self._told: dict[str, str] = {}
        self.paused_until_ns = kept_pause(world.mark(f"pause/{options.name}"), world.boot)
        """Until when (monotonic) nothing is judged because a person asked for it."""
        self._filled_ns: int | None = None
        self._tidy_ns = world.monotonic_ns()
        self._lock = Lock()

    @property
    def corrections(self) -> int:
        """How many verdicts people have corrected, since the journal was made."""
        return self._pictures.corrections

    @property
    def crumbs(self) -> int:
        """How many things were too small to be goods, since start."""
        return self._counting.crumbs

    @property
    def batch(self) -> Batch | None:
        """The present one."""
        return self._batches.current

    def see(self, frame: Frame, crop: Image) -> None:
        """Takes a picture, whole and cropped."""
        with self._lock:
            self.camera.position = frame.position if frame.position is not None else self.camera.position
            now_ns = self._world.monotonic_ns()
            if now_ns < self.paused_until_ns:
                self._tell([])
                return
            if min(crop.shape[:2]) < LEAST_PX:
                self._tell(self.camera.bad("camera_unreadable", f"{crop.shape[1]} × {crop.shape[0]} pixels", now_ns))
                return
            fault = self._check.look(frame.image, crop)
            if fault is not None:
                figure = (fault.feature, fault.value, fault.limit)
                self._tell(self.camera.bad(fault.cause, fault.detail, now_ns, figure))
                return
            if self._grading is None:
                self._tell(self.camera.good(now_ns))
                return
            try:
                self._inspect(self._grading, frame, crop, now_ns)
                self.trouble = ""
            except Exception as exc:
                # A picture that grading stumbles over must not take the camera away; it is shown in health.
                if not self.trouble:
                    logging.getLogger(__name__).exception("%s: a picture could not be graded", self._options.name)
                self.trouble = f"{type(exc).__name__}: {exc}"
                self._tell([])
            self._tidy(now_ns)

    def unreadable(self, exc: BadPicture) -> None:
        """Takes a picture that is none."""
        with self._lock:
            self.camera.position = exc.position if exc.position is not None else self.camera.position
            self._tell(self._bad("camera_unreadable", str(exc)))

    def away(self, why: str) -> None:
        """No picture can be had; what comes later may show another place."""
        with self._lock:
            self._check.forget()
            self._tell(self._bad("camera_no_image", why))

    def _bad(self, cause: str, why: str) -> list[Record]:
        """What no picture says about the camera; nothing while a person is cleaning under it."""
        now_ns = self._world.monotonic_ns()
        return [] if now_ns < self.paused_until_ns else self.camera.bad(cause, why, now_ns)

    def product(self) -> str:
        """What lies there now, when no lesson is on. Does not wait for a picture that is being judged."""
        return self.products.name(self._world.minute())

    def say_product(self, product: str) -> None:
        """A person says what is made."""
        with self._lock:
            self.products.say(product, self._world.minute())
            self._world.put([], {f"product/{self._options.name}": self.products.state})

    def relearn(self) -> str:
        """What follows is the new normal of the present product, which is returned."""
        with self._lock:
            product = self.products.name(self._world.minute())
            self._drift.forget(product)
            self._counting.forget(product)
            self._tell(self._findings.drift("", None, "", self._world.monotonic_ns()))
            return product

    def begin_lesson(self, lesson: Lesson) -> None:
        """What comes is collected for a person to look at; a pause is over with that."""
        with self._lock:
            self.lesson.begin(lesson)
            self.paused_until_ns = 0
            self._tell([])

    def end_lesson(self, lesson: str) -> bool:
        """What comes is judged again; False where that lesson was not on."""
        with self._lock:
            ended = self.lesson.end(lesson)
            self._tell([])
            return ended

    def learned(self, command: Command) -> None:
        """A lesson was taught: what a person said of its items is kept, and the lesson is over."""
        with self._lock:
            for item in command.taught:
                # The profile is there: a picture that cannot be kept for later, or of which more was said since, changes nothing.
                with suppress(OSError, ValueError):
                    self._pictures.correct(item.inspection, item.item, item.verdict, command.by, command.issued_ns)
            self.lesson.end(command.lesson or "")
            self._tell([])

    def pause(self, until_ns: int) -> None:
        """Judges neither goods nor the camera until then (monotonic): hands and cloths are in the picture. What was found stands."""
        with self._lock:
            self.paused_until_ns = until_ns
            self._tell([])

    def correct(self, inspection: str, number: int, verdict: str, by: str, said_ns: int) -> str | None:
        """A person's verdict about an item: it becomes a lesson, and teaches the product's profile where there is one.

        Args:
            inspection: its id.
            number: of the item, from 0, in the order of the inspection.
            verdict: `good` or `reject`.
            by: who says so.
            said_ns: when.

        Returns:
            What was done, in English; None where its picture is no longer held.

        Raises:
            OSError: it could not be kept.
            ValueError: no such id, or something was said of the item later.
        """
        with self._lock:
            done = self._pictures.correct(inspection, number, verdict, by, said_ns)
            if done is None:
                return None
            taught = done.before != verdict and done.lesson is not None
            if taught and done.lesson is not None:
                made = datetime.now(UTC).isoformat(timespec="seconds")
                taught = self.products.teach(done.product, done.lesson, good=verdict == "good", made=made)
            self._recount(done, verdict)
            self._tell([])
            said = "the profile has learned it" if taught else "kept for the next teaching"
            return f"item {number} of {inspection} is {verdict}: {said}; {done.lessons} of {done.product}"

    def _recount(self, done: Correction, verdict: str) -> None:
        current = self._batches.current
        if current is not None and current.id == done.batch:
            current.correct(done.before, verdict)

    def _inspect(self, grading: Grading, frame: Frame, crop: Image, now_ns: int) -> None:
        minute, lesson = self._world.minute(), self.lesson.at(self._world.wall_ns())
        result = self._graded(grading.inspector, crop, now_ns, minute, taught=lesson is not None)
        if result.obstructed:
            detail = "something covers so much of the picture that it is no item"
            self._tell(self.camera.bad("camera_blocked", detail, now_ns))
            return
        records = self.camera.good(now_ns)
        product = self.products.name(minute) if lesson is None else lesson.product
        size = (crop.shape[1], crop.shape[0])
        counted = self._counting.count(result.items, product, size=size, taken_ns=frame.taken_ns, crumbs=result.crumbs)
        found = counted.items[:MOST_ITEMS]
        if not found:
            # An empty tray, or a belt on which nothing new has come.
            self._tell(records)
            return
        self._filled_ns = now_ns
        asked = None
        if lesson is not None:
            asked = Asked(lesson.room, tuple(each.verdict for each in found))
            # Nobody knows yet what is good here: that is what the person is asked.
            found = [replace(each, verdict="unsure") for each in found]
        sizes = [grading.size_mm(each, crop) for each in found]
        labels = grading.card.labels
        shown = self._pictures.shown(found, crop, labels, asked)
        items = [told_item(each, sizes[k], shown.get(k)) for k, each in enumerate(found)]
        batch = None
        if lesson is None:
            # Pieces of a lesson are no production: they neither count in a batch nor end one.
            batch = self._batches.of(product, now_ns, wall_ns=self._world.wall_ns(), minute=minute)
            batch.add(items)
        name = batch.id if batch is not None else lesson.id if lesson is not None else ""
        seen = [seen_item(each, size) for each, size in zip(found, sizes, strict=True) if not each.cut_off]
        drifted = self._drift.take(product, seen) if lesson is None else None
        identity = self._identity(frame)
        records.append(
            self._drafter.record(
                Inspection,
                frame.taken_ns,
                event=False,
                id=identity,
                machine=self._options.machine,
                camera=self._options.name,
                product=product,
                called=self.products.called(product) if lesson is None else "",
                batch=name,
                items=items,
                model=f"{grading.card.name} {grading.card.sha256[:8]}",
                charts=dict(drifted.charts) if drifted is not None else {},
                lesson=lesson.id if lesson is not None else None,
                crumbs=counted.crumbs,
            )
        )
        if batch is not None:
            # What is collected is judged by nobody: what was found before stands until something is judged again.
            records.extend(self._found(batch, drifted, product, now_ns))
        self.inspections += 1
        self.items += len(items)
        self.lesson.pictured(len(shown) if lesson is not None else 0)
        self._tell(records)
        self._pictures.keep(About(identity, name, product), found, crop, labels, asked)

    def _identity(self, frame: Frame) -> str:
        text = f"{self._options.name}|{self._world.boot}|{frame.taken_ns}|{frame.position}|{self.inspections}"
        return f"i-{blake2s(text.encode(), digest_size=10).hexdigest()}"

    def _found(self, batch: Batch, drifted: Drifted | None, product: str, now_ns: int) -> list[Record]:
        records = list(self._findings.batch(batch, now_ns))
        if drifted is not None:
            records.extend(
                self._findings.drift(drifted.cause, drifted.evidence, drifted.detail, now_ns, product=product)
            )
        return records

    def _graded(
        self, inspector: Inspector, crop: Image, now_ns: int, minute: int | None, *, taught: bool
    ) -> InspectionResult:
        """What is in the picture; `taught` by the net alone, as a person is asked."""
        if taught:
            inspector.profile = None
            return inspector.inspect(crop)
        gap_ns = round(self._options.load_gap_s * 1e9)
        if self._options.recognise and (self._filled_ns is None or now_ns - self._filled_ns > gap_ns):
            # The look of a new load says what it is; then it is judged as that.
            inspector.profile = None
            first = inspector.inspect(crop)
            if first.judged:
                self.products.see([item.example for item in first.judged])
        try:
            inspector.profile = self.products.profile(self.products.name(minute))
        except ProfileMismatch as exc:
            self.products.trouble = str(exc)
            inspector.profile = None
        return inspector.inspect(crop)

    def _tell(self, records: Sequence[Record]) -> None:
        marks = self._marks()
        # A flash card is not written to say again what it holds.
        changed = {name: mark for name, mark in marks.items() if self._told.get(name) != mark}
        self._told = marks
        self._world.put(records, changed)

    def _marks(self) -> dict[str, str]:
        """What must be right together with what is told, also after a power cut."""
        name = self._options.name
        marks = {
            f"camera/{name}": self.camera.state,
            f"quality/{name}": self._findings.state,
            f"charts/{name}": self._drift.state,
            f"corrected/{name}": self._pictures.state,
            f"lesson/{name}": self.lesson.state,
            f"sizes/{name}": self._counting.state,
            f"pause/{name}": pause_mark(self._world.boot, self.paused_until_ns),
        }
        if self._batches.current is not None:
            marks[f"batch/{name}"] = _json(self._batches.current)
        return marks

    def _tidy(self, now_ns: int) -> None:
        if now_ns - self._tidy_ns >= TIDY_NS:
            self._tidy_ns = now_ns
            self._pictures.tidy()


def _batch(mark: str | None) -> Batch | None:
    try:
        return msgspec.json.decode(mark or "null", type=Batch | None)
    except msgspec.DecodeError:
        return None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
