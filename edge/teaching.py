"""Teaching at a camera: lessons begin and end by command, and what a person said of their items becomes a product's profile.

Learning takes a while on a small board, the longer the more was taught before: it runs in a thread of its own, and the camera goes on.
What was learned is written whole or not at all, and in the place of another profile only where a person asked for that. A command that a restart interrupts
is carried out again, to the same end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from edge.commands import Outcome
from edge.goods import GoodsPath
from edge.item_pictures import ItemPictures
from edge.lesson import Lesson
from edge.products import Products
from edge.vision.retention import Kept
from edge.vision.small_picture import lesson_of
from models.quality.doubts import NetSays, doubts
from models.quality.example import Example
from models.quality.profile import ProfileRefused
from models.quality.teach import FEWEST, Profile
from wire.commands import Command
from wire.messages import Doubt, Taught

LONGEST_NAME = 64
"""Of what people call a product, as a profile's card has it."""
NICENESS = 10
"""Of the thread that learns: pictures go first."""


class _Learned(NamedTuple):
    profile: Profile
    taught: Taught


class Teaching:
    """Lessons of one camera. `perform` and `finished` are called by one thread.

    Args:
        path: the camera's.
        products: what was taught.
        pictures: of items.
        net: SHA-256 of the net that judges, empty where nothing is graded.
        kept: whether pictures of items are kept at all.
    """

    def __init__(self, path: GoodsPath, products: Products, pictures: ItemPictures, net: str, *, kept: bool) -> None:
        self._path = path
        self._products = products
        self._pictures = pictures
        self._net = net
        self._kept = kept
        self._thread: threading.Thread | None = None
        self._command: Command | None = None
        self._result: _Learned | Outcome | None = None

    def perform(self, command: Command) -> Outcome | None:
        """Carries out a command about a lesson; None where that takes a while: `finished` will tell.

        Raises:
            OSError: the journal or a file cannot be written.
        """
        if command.lesson is None or (command.product is None and command.action != "end_lesson"):
            return Outcome(ok=False, reason=f"{command.action} needs lesson and product")
        if command.action == "end_lesson":
            ended = self._path.end_lesson(command.lesson)
            return Outcome(ok=True, reason="the lesson is over" if ended else "the lesson was over already")
        refused = self._refusal(command, command.product or "")
        if refused is not None:
            return refused
        if command.action == "start_lesson":
            return self._begin(command, command.lesson, command.product or "")
        self._command, self._result = command, None
        self._thread = threading.Thread(target=self._work, args=(command,), name="teaching", daemon=True)
        self._thread.start()
        return None

    def finished(self) -> tuple[Command, Outcome] | None:
        """A command that took its time, and what became of it, once."""
        thread, command, result = self._thread, self._command, self._result
        if thread is None or thread.is_alive() or command is None:
            return None
        self._thread = self._command = self._result = None
        if isinstance(result, _Learned):
            return command, self._keep(command, result)
        return command, result or Outcome(ok=False, reason="failed without a word", code="lesson_failed")

    def _refusal(self, command: Command, product: str) -> Outcome | None:
        if not self._net:
            return _refused("lesson_model", "no model can be used: nothing is graded here")
        if not self._kept:
            return _refused("lesson_no_pictures", "keep_days is 0: no picture of an item is kept here")
        if self._thread is not None:
            return _refused("lesson_busy", "another lesson is being learned")
        if command.action == "start_lesson" and command.known is None and self._products.taken(product):
            return _refused("lesson_taken", f"{product} has been taught already")
        if command.known == "add":
            try:
                self._products.before(product)
            except ProfileRefused as exc:
                return _refused("lesson_profile", str(exc))
        return None

    def _begin(self, command: Command, lesson: str, product: str) -> Outcome:
        until_ns = command.issued_ns + round((command.seconds or 0.0) * 1e9)
        self._path.begin_lesson(Lesson(lesson, product, until_ns))
        return Outcome(ok=True, reason=f"collects what comes as {product}")

    def _work(self, command: Command) -> None:
        with suppress(OSError):  # not everywhere, and no reason not to learn
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            self._result = self._learn(command, command.product or "")
        except ProfileRefused as exc:
            self._result = _refused("lesson_profile", str(exc))
        except Exception as exc:  # noqa: BLE001  # whatever it was, the person is answered
            self._result = _refused("lesson_failed", f"{type(exc).__name__}: {exc}")

    def _learn(self, command: Command, product: str) -> _Learned | Outcome:
        sides: dict[str, list[Kept]] = {"good": [], "reject": []}
        for item in command.taught:
            held = self._pictures.held(item.inspection, item.item)
            if held is not None and lesson_of(held) is not None:
                sides[item.verdict].append(held)
        gone = len(command.taught) - sum(map(len, sides.values()))
        good, bad = (_examples(side) for side in sides.values())
        before = self._products.before(product) if command.known == "add" else None
        if before is None and len(good) < FEWEST:
            return _refused("lesson_few", f"{len(good)} good items, at least {FEWEST} are needed; {gone} are gone")
        try:
            profile = (
                Profile.teach((command.label or product)[:LONGEST_NAME], self._net, good, bad)
                if before is None
                else before.corrected(good, bad)
            )
        except ValueError as exc:
            return _refused("lesson_few", str(exc))
        found = doubts(profile, *(_net_says(side) for side in sides.values()))
        wrong, missed = profile.doubted()
        taught = Taught(
            good=len(profile.good),
            bad=len(profile.bad),
            wrong=wrong,
            missed=missed,
            gone=gone,
            doubts=[Doubt(code=d.code, good=d.good, bad=d.bad, of_good=d.of_good, of_bad=d.of_bad) for d in found],
        )
        return _Learned(profile, taught)

    def _keep(self, command: Command, learned: _Learned) -> Outcome:
        product, made = command.product or "", datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._products.keep(product, learned.profile, made, over=command.known is not None)
        except FileExistsError:
            return _refused("lesson_taken", f"{product} has been taught in the meantime")
        except OSError as exc:
            return _refused("lesson_folder", f"{product} could not be written: {exc}")
        self._path.learned(command)
        taught = learned.taught
        return Outcome(ok=True, reason=f"{product}: {taught.good} good and {taught.bad} bad items", taught=taught)


def _examples(side: Sequence[Kept]) -> list[Example]:
    return [example for example in map(lesson_of, side) if example is not None]


def _net_says(side: Sequence[Kept]) -> NetSays:
    nets = [held.net for held in side]
    return NetSays(len(nets), nets.count("good"), nets.count("reject"))


def _refused(code: str, reason: str) -> Outcome:
    return Outcome(ok=False, reason=reason[:500], code=code)
