"""Which product lies under a camera: as a person said last, by schedule, or by what is seen; and what was taught of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.camera_options import CameraOptions, minutes
from models.quality.example import Example
from models.quality.profile import SUFFIX, ProfileRefused, read_profile, read_profile_card, recognise, write_profile
from models.quality.teach import Profile
from wire.naming import plain_name

MOST_KNOWN, LONGEST_CALLED = 64, 80
"""The wire's limits."""


class _Said(msgspec.Struct):
    product: str
    slot: int | None
    """Place in the schedule at which it was said; it holds until the next one begins."""


class Products:
    """One camera's products.

    Args:
        options: of the camera.
        net: SHA-256 of the net that judges.
        mark: what `state` gave before a restart, None for nothing.
        folder: of taught products, where the options name none; made when the first is taught.
    """

    def __init__(self, options: CameraOptions, net: str, mark: str | None, folder: Path | None = None) -> None:
        self.trouble = ""
        """Why the present product's profile cannot be used, empty while it can or there is none."""
        self._default = options.product
        self._times = sorted((minutes(entry.start), entry.product) for entry in options.times)
        self._folder = options.profiles or folder
        self._net = net
        self._said = _load(mark)
        self._seen: str | None = None
        self._read: dict[str, tuple[int, Profile | None, str]] = {}
        self._cards: dict[str, tuple[int, str]] = {}

    @property
    def state(self) -> str:
        """For a mark in the journal."""
        return msgspec.json.encode(self._said).decode()

    def say(self, product: str, minute: int | None) -> None:
        """A person says what is made; it holds until the schedule's next turn."""
        self._said = _Said(product, self._slot(minute))
        self._seen = None

    def see(self, examples: Sequence[Example]) -> str | None:
        """What lies there by the look of it; None where it is like nothing that was taught. Remembered until the next call."""
        names = [path.stem for path in self._folder.glob(f"*{SUFFIX}")] if self._folder is not None else []
        found = {name: profile for name in sorted(names) if (profile := self.profile(name)) is not None}
        self._seen = recognise(found, examples)
        return self._seen

    def name(self, minute: int | None) -> str:
        """What lies there now.

        Args:
            minute: minutes since local midnight, None while unknown.
        """
        slot = self._slot(minute)
        if self._said is not None and (slot is None or self._said.slot in (slot, None)):
            return self._said.product
        self._said = None
        if self._seen is not None:
            return self._seen
        return self._default if slot is None else self._times[slot][1]

    def profile(self, name: str) -> Profile | None:
        """What was taught of a product; None for nothing usable, `trouble` then says why. A file that changed is read anew."""
        self.trouble = ""
        path = self._path(name)
        if path is None:
            return None
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        known = self._read.get(name)
        if known is None or known[0] != changed:
            try:
                known = (changed, read_profile(path, self._net), "")
            except ProfileRefused as exc:
                logging.getLogger(__name__).warning("%s; the net judges alone", exc)
                known = (changed, None, str(exc))
            self._read[name] = known
        self.trouble = known[2]
        return known[1]

    def called(self, name: str) -> str:
        """What people call a product by whose profile was judged; empty where that is its name, or not known."""
        profile = self._read[name][1] if name in self._read else None
        return profile.product if profile is not None and profile.product != name else ""

    def known(self) -> dict[str, str]:
        """What can be said to lie there, by name, with what people call it; empty where that is its name, or nothing was taught of it.

        What is configured and what was taught, by page or by photos. From one thread, which may be another than that of the rest.
        """
        names = {self._default, *(product for _, product in self._times)}
        if self._said is not None:
            names.add(self._said.product)
        taught = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder is not None else []
        # A file of a name that no message can bear cannot be chosen.
        called = {path.stem: self._card(path) for path in taught if plain_name(path.stem) == path.stem}
        found = {**dict.fromkeys(sorted(names), ""), **called}
        return dict(list(found.items())[:MOST_KNOWN])

    def _card(self, path: Path) -> str:
        try:
            changed = path.stat().st_mtime_ns
            kept = self._cards.get(path.stem)
            if kept is None or kept[0] != changed:
                kept = (changed, read_profile_card(path).product)
                self._cards[path.stem] = kept
        except (OSError, ProfileRefused):
            return ""
        return kept[1][:LONGEST_CALLED] if kept[1] != path.stem else ""

    def teach(self, name: str, example: Example, *, good: bool, made: str) -> bool:
        """Adds a corrected item to a product's profile; False where there is none, or too few good items would be left in it.

        Raises:
            OSError: it cannot be written.
        """
        profile, path = self.profile(name), self._path(name)
        if profile is None or path is None:
            return False
        try:
            corrected = profile.corrected([example] if good else [], [] if good else [example])
        except ValueError:
            return False
        write_profile(corrected, path, made)
        return True

    def taken(self, name: str) -> bool:
        """Whether something was taught under this name, be it usable or not."""
        path = self._path(name)
        return path is not None and os.path.lexists(path)

    def before(self, name: str) -> Profile | None:
        """What more can be added to; None where nothing was taught. From any thread.

        Raises:
            ProfileRefused: what was taught cannot be used.
        """
        path = self._path(name)
        return read_profile(path, self._net) if path is not None and self.taken(name) else None

    def keep(self, name: str, profile: Profile, made: str, *, over: bool) -> None:
        """Writes what was taught of a product; `over`: in the place of what was taught before.

        Raises:
            FileExistsError: something else is there, and this was not to take its place.
            OSError: it cannot be written.
        """
        path = self._path(name)
        if path is None:
            raise FileNotFoundError("there is no folder for taught products")
        if not path.parent.is_dir():
            try:
                path.parent.mkdir(parents=True)
            except FileExistsError as exc:
                raise NotADirectoryError(str(path.parent)) from exc
        try:
            write_profile(profile, path, made, over=over)
        except FileExistsError:
            # After a power cut between writing and answering the same lesson is taught once more.
            if not self._holds(path, profile):
                raise

    def _holds(self, path: Path, profile: Profile) -> bool:
        try:
            there = read_profile(path, self._net)
        except ProfileRefused:
            return False
        sides = ((there.good, profile.good), (there.bad, profile.bad))
        return all(
            len(mine) == len(theirs) and all(one.same_item(other) for one, other in zip(mine, theirs, strict=True))
            for mine, theirs in sides
        )

    def _path(self, name: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{name}{SUFFIX}"

    def _slot(self, minute: int | None) -> int | None:
        if minute is None or not self._times:
            return None
        begun = [place for place, (start, _) in enumerate(self._times) if start <= minute]
        # Before the first one of the day yesterday's last one still holds.
        return begun[-1] if begun else len(self._times) - 1


def _load(mark: str | None) -> _Said | None:
    try:
        return msgspec.json.decode(mark or "null", type=_Said | None)
    except msgspec.DecodeError:
        return None
