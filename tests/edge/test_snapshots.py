"""Snapshots: whole or not at all, damaged ones set aside and named."""

from __future__ import annotations

import errno
import itertools
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.snapshots import BadSnapshot, Snapshots


def snapshots(folder: Path) -> Snapshots:
    counter = itertools.count()
    return Snapshots(folder / "models", lambda: next(counter))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    assert kept.load("oven") is None
    state = {"version": 1, "numbers": [1.5, None, -0.0], "text": "°C"}
    size = kept.save("oven", state)
    assert kept.load("oven") == state
    assert size == kept.file("oven").stat().st_size
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["oven.json"]


def test_a_machines_snapshot_is_not_anothers(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.save("oven", {"a": 1})
    kept.file("oven").rename(kept.file("mixer"))
    with pytest.raises(BadSnapshot, match="of machine 'oven'"):
        kept.load("mixer")


def test_a_power_cut_while_writing_leaves_the_old_one(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.save("oven", {"a": 1})
    kept.file("oven").with_suffix(".new").write_bytes(b'{"format":1,"mach')
    assert snapshots(tmp_path).load("oven") == {"a": 1}


def test_a_failing_write_leaves_the_old_one(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.save("oven", {"a": 1})
    kept.file("oven").with_suffix(".new").mkdir()
    with pytest.raises(OSError, match="directory"):
        kept.save("oven", {"a": 2})
    assert kept.load("oven") == {"a": 1}


@given(st.data())
def test_any_damage_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kept = snapshots(tmp_path_factory.mktemp("damage"))
    state = {"numbers": [1, 2.5, "x"], "deep": {"a": [None, True]}}
    kept.save("oven", state)
    whole = kept.file("oven").read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:place]
    else:
        damaged = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :]
    kept.file("oven").write_bytes(damaged)
    try:
        found = kept.load("oven")
    except BadSnapshot:
        found = state
    assert found == state


def test_a_bad_one_is_set_aside_and_named_and_few_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = snapshots(tmp_path)
    for _ in range(5):
        kept.file("oven").write_text("rubbish")
        with pytest.raises(BadSnapshot), caplog.at_level(logging.WARNING):
            kept.load("oven")
        aside = kept.set_aside("oven", "no JSON")
        assert aside is not None
        assert aside.read_text() == "rubbish"
        assert str(aside) in caplog.text
        assert kept.load("oven") is None
    assert len(list((tmp_path / "models").iterdir())) == 3


def test_setting_aside_what_is_not_there_only_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert snapshots(tmp_path).set_aside("oven", "why") is None
    assert "cannot be used (why) and not be moved aside" in caplog.text


def test_a_full_disk_leaves_the_old_one_and_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = snapshots(tmp_path)
    kept.save("oven", {"a": 1})

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept.save("oven", {"a": 2})
    assert kept.load("oven") == {"a": 1}
    assert [file.name for file in (tmp_path / "models").iterdir()] == ["oven.json"]
