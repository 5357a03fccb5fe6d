"""Profiles as files: one readable JSON file with a card and the taught items as numbers. No code is ever loaded from one."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np

from models.quality.example import VERSION, Example
from models.quality.measure import NAMES
from models.quality.measure import VERSION as MEASURED
from models.quality.teach import MOST, Profile

SUFFIX: Final = ".json"
LARGEST_BYTES: Final = 20_000_000
FEATURES: Final = f"{VERSION}.{MEASURED}"
"""Version of what items are compared by."""


class ProfileRefused(Exception):
    """A file that is no profile, or not one for this net; the text says which and why."""


class ProfileCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a profile is.

    Args:
        product: what it is called.
        made: when, ISO 8601; empty where the clock was not known.
        good: how many good items it was taught.
        bad: how many bad ones.
        net: SHA-256 of the net; another one cannot judge by it.
        features: version of the measurements.
    """

    product: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    made: Annotated[str, msgspec.Meta(max_length=40)]
    good: int
    bad: int
    net: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    features: str


_Tint = Annotated[float, msgspec.Meta(ge=-128.0, le=128.0)]


class _Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    measured: Annotated[list[float], msgspec.Meta(min_length=len(NAMES), max_length=len(NAMES))]
    embedding: Annotated[list[float], msgspec.Meta(min_length=1, max_length=4096)]
    baking: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    light: Annotated[float, msgspec.Meta(ge=0.0, le=100.0)] | None
    frame_px: Annotated[int, msgspec.Meta(ge=0, le=10**9)]
    tint: tuple[_Tint, _Tint] | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    card: ProfileCard
    good: Annotated[list[_Item], msgspec.Meta(max_length=MOST)]
    bad: Annotated[list[_Item], msgspec.Meta(max_length=MOST)]


def write_profile(profile: Profile, path: Path, made: str, *, over: bool = True) -> ProfileCard:
    """Writes a profile so that a reader finds the old one or the new one, whatever happens in between.

    Args:
        profile: to keep.
        path: of the file.
        made: when, ISO 8601; empty where it is not known.
        over: in the place of one that is there.

    Raises:
        FileExistsError: one is there, and this one was not to take its place.
        OSError: it cannot be written.
    """
    card = ProfileCard(
        product=profile.product,
        made=made,
        good=len(profile.good),
        bad=len(profile.bad),
        net=profile.net,
        features=FEATURES,
    )
    content = msgspec.json.encode(
        _File(card=card, good=[_packed(each) for each in profile.good], bad=[_packed(each) for each in profile.bad])
    )
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if over:
            temporary.replace(path)
        else:
            _put_anew(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return card


def _put_anew(temporary: Path, path: Path) -> None:
    """Gives a finished file its name, which nothing may bear yet; raises FileExistsError where something does."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network folders know no second name for a file
        path.open("xb").close()  # the name is taken; only this empty file is replaced
        try:
            temporary.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def read_profile(path: Path, net: str) -> Profile:
    """A profile from its file.

    Args:
        path: of the file.
        net: SHA-256 of the net that is to judge by it.

    Raises:
        ProfileRefused: it cannot be read, is no profile, contradicts itself, or belongs to another net or version.
    """
    file = _read(path)
    card = file.card
    if card.net != net:
        raise ProfileRefused(
            f"{path}: taught with another net ({card.net[:12]}…, this one is {net[:12]}…); teach it anew"
        )
    if card.features != FEATURES:
        raise ProfileRefused(f"{path}: measurements of version {card.features}, these are {FEATURES}; teach it anew")
    if (card.good, card.bad) != (len(file.good), len(file.bad)):
        raise ProfileRefused(f"{path}: the card speaks of other items than are in it")
    if len({len(item.embedding) for item in (*file.good, *file.bad)}) > 1:
        raise ProfileRefused(f"{path}: embeddings of different lengths")
    try:
        return Profile.teach(card.product, card.net, _unpacked(file.good, path), _unpacked(file.bad, path))
    except ValueError as exc:
        raise ProfileRefused(f"{path}: {exc}") from exc


def read_profile_card(path: Path) -> ProfileCard:
    """What a file says of itself.

    Raises:
        ProfileRefused: it cannot be read or is no profile.
    """
    return _read(path).card


def recognise(profiles: Mapping[str, Profile], examples: Sequence[Example]) -> str | None:
    """Which product lies there: the one whose taught good items are nearest to the best of these.

    None without profiles or items, and where they are like nothing that any profile was taught.
    """
    if not profiles or not examples:
        return None
    distances = {
        name: float(np.quantile([profile.judge(each).departure.overall for each in examples], _WHOLE))
        for name, profile in profiles.items()
    }
    nearest = min(distances, key=lambda name: (distances[name], name))
    return nearest if distances[nearest] < _RECOGNISED else None


_WHOLE = 0.25
"""At least this share of what lies there is whole and tells the product; the broken rest may be far from everything."""
_RECOGNISED = 3.0
"""Farther than so many limits from all that was taught, nothing is recognised."""


def _read(path: Path) -> _File:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ProfileRefused(f"{path}: larger than {LARGEST_BYTES} bytes")
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as exc:
        raise ProfileRefused(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except msgspec.ValidationError as exc:
        raise ProfileRefused(f"{path}: no profile: not what werkpuls teach writes") from exc
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ProfileRefused(f"{path}: no profile: not JSON") from exc


def _packed(example: Example) -> _Item:
    # Six digits are what a float32 carries; more would only make the file longer.
    return _Item(
        measured=[_short(value) for value in example.measured],
        embedding=[_short(value) for value in example.embedding],
        baking=example.baking,
        light=example.light,
        frame_px=example.frame_px,
        tint=example.tint,
    )


def _short(value: np.float32) -> float:
    return float(f"{float(value):.7g}")


def _unpacked(items: Sequence[_Item], path: Path) -> list[Example]:
    for item in items:
        if not all(map(math.isfinite, (*item.measured, *item.embedding))) or max(map(abs, item.measured)) > _HUGE:
            raise ProfileRefused(f"{path}: a number that no measurement gives")
    return [
        Example(
            np.array(item.measured, np.float32),
            np.array(item.embedding, np.float32),
            item.baking,
            item.light,
            item.frame_px,
            item.tint,
        )
        for item in items
    ]


_HUGE = 1e6
