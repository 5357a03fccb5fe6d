"""Profiles as files: what is read back judges alike; anything else than a profile for this net is refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.quality.example import Example
from models.quality.measure import NAMES
from models.quality.profile import FEATURES, ProfileRefused, read_profile, read_profile_card, write_profile
from models.quality.teach import Profile

NET = "a" * 64


def example(seed: int, apart: float = 0.0) -> Example:
    rng = np.random.default_rng(seed)
    measured = (0.01 * rng.standard_normal(len(NAMES)) + apart).astype(np.float32)
    tint = None if seed == 4 else (1.25, -7.5)
    return Example(measured, rng.standard_normal(12).astype(np.float32), 0.125, None if seed == 3 else 40.0, 0, tint)


@pytest.fixture
def profile() -> Profile:
    return Profile.teach("Brötchen", NET, [example(k) for k in range(9)], [example(20 + k, 1.0) for k in range(4)])


def test_a_profile_read_back_judges_alike(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "rolls.json"
    card = write_profile(profile, path, "2026-11-02T08:00:00+00:00")
    back = read_profile(path, NET)
    assert (card.product, card.good, card.bad, card.net, card.features) == ("Brötchen", 9, 4, NET, FEATURES)
    assert read_profile_card(path) == card
    for seed, apart in ((50, 0.0), (51, 1.0), (52, 0.4)):
        one, other = profile.judge(example(seed, apart)), back.judge(example(seed, apart))
        assert (one.verdict, one.reasons) == (other.verdict, other.reasons)
        assert one.good == pytest.approx(other.good, abs=1e-4)
    assert [each.light for each in back.good] == [each.light for each in profile.good]
    assert [each.tint for each in back.good] == [each.tint for each in profile.good]
    assert list(tmp_path.iterdir()) == [path]


def test_a_profile_from_before_tints_were_kept_can_be_read(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "rolls.json"
    write_profile(profile, path, "")
    content = msgspec.json.decode(path.read_bytes())
    for item in (*content["good"], *content["bad"]):
        del item["tint"]
    path.write_bytes(msgspec.json.encode(content))
    assert {each.tint for each in read_profile(path, NET).good} == {None}


def test_writing_again_replaces_and_an_unwritable_place_is_an_error(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "rolls.json"
    write_profile(profile, path, "")
    write_profile(profile.corrected(bad=[example(70, 1.0)]), path, "")
    assert read_profile_card(path).bad == 5
    with pytest.raises(OSError, match="No such file"):
        write_profile(profile, tmp_path / "nowhere" / "rolls.json", "")


@pytest.mark.parametrize("links", [True, False])
def test_a_new_profile_never_takes_the_place_of_another_with_hard_links_or_without(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    def none_here(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", none_here)
    path = tmp_path / "rolls.json"
    write_profile(profile, path, "", over=False)
    first = path.read_bytes()
    assert len(read_profile(path, NET).good) == 9
    with pytest.raises(FileExistsError):
        write_profile(profile.corrected(bad=[example(70, 1.0)]), path, "", over=False)
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_without_hard_links_what_fails_halfway_leaves_the_name_free(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "rolls.json"
    with monkeypatch.context() as broken:
        broken.setattr(os, "link", fails)
        broken.setattr(Path, "replace", fails)
        with pytest.raises(OSError, match="Input/output"):
            write_profile(profile, path, "", over=False)
    assert list(tmp_path.iterdir()) == []
    write_profile(profile, path, "", over=False)
    assert read_profile_card(path).good == 9


def test_another_net_is_refused(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "rolls.json"
    write_profile(profile, path, "")
    with pytest.raises(ProfileRefused, match="taught with another net"):
        read_profile(path, "b" * 64)


def _short(content: dict[str, Any]) -> None:
    content["good"] = content["good"][:2]
    content["card"]["good"] = 2


def _huge(content: dict[str, Any]) -> None:
    content["good"][0]["measured"][0] = 1e300


def _ragged(content: dict[str, Any]) -> None:
    content["bad"][0]["embedding"] = [0.0]


def _features(content: dict[str, Any]) -> None:
    content["card"]["features"] = "0.0"


def _count(content: dict[str, Any]) -> None:
    content["card"]["good"] = 8


def _missing(content: dict[str, Any]) -> None:
    del content["good"][0]["measured"][0]


def _code(content: dict[str, Any]) -> None:
    content["run"] = "print()"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_short, "at least"),
        (_huge, "no measurement"),
        (_ragged, "different lengths"),
        (_features, "version 0.0"),
        (_count, "other items"),
        (_missing, "no profile"),
        (_code, "no profile"),
    ],
)
def test_a_spoilt_profile_is_refused_and_says_which_file(
    profile: Profile, tmp_path: Path, spoil: Callable[[dict[str, Any]], None], says: str
) -> None:
    path = tmp_path / "rolls.json"
    write_profile(profile, path, "")
    content = msgspec.json.decode(path.read_bytes())
    spoil(content)
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(ProfileRefused, match=says) as caught:
        read_profile(path, NET)
    assert "rolls.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"[]", b"{}", b"\xff\xd8\xff", b"[" * 100_000])
def test_what_is_no_profile_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rolls.json"
    path.write_bytes(content)
    with pytest.raises(ProfileRefused, match=r"no profile: not (JSON|what werkpuls teach writes)$"):
        read_profile(path, NET)
    with pytest.raises(ProfileRefused, match="cannot be read"):
        read_profile(tmp_path / "none.json", NET)
