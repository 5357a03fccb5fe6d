"""A watched folder: each photo once, whatever its date, the clock and a restart say."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from edge.vision.camera import BadPicture
from edge.vision.decode import encode
from edge.vision.photos import RECENT, SETTLED_NS, TRIES, PhotoCamera
from edge.vision.scene import tray

SIZE = (320, 240)


def test_photos_come_once_oldest_first_and_only_when_settled(tmp_path: Path) -> None:
    start = 1_700_000_000_000_000_000
    now = [start]

    def drop(name: str, data: bytes, seconds: int) -> None:
        path = tmp_path / name
        path.write_bytes(data)
        os.utime(path, ns=(start + seconds * 10**9,) * 2)

    picture = encode(tray(np.random.default_rng(1), SIZE, 0.5)[0])
    drop("old.jpg", picture, 0)
    camera = PhotoCamera("c", tmp_path, None, monotonic_ns=time.monotonic_ns, wall_ns=lambda: now[0])
    camera.open()
    assert camera.read() is None
    drop("b.jpg", picture, 1)
    drop("a.jpg", picture, 2)
    drop("notes.txt", b"no picture", 2)
    drop("c.jpg", b"text that is called a picture", 3)
    assert camera.read() is None
    now[0] = start + 2 * 10**9 + SETTLED_NS
    positions = [frame.position or "" for frame in (camera.read(), camera.read()) if frame is not None]
    assert [dated(position) for position in positions] == [start + 10**9, start + 2 * 10**9]
    assert camera.read() is None
    now[0] += 10**10
    with pytest.raises(BadPicture, match=r"c\.jpg: no JPEG, PNG") as told:
        camera.read()
    assert dated(told.value.position) == start + 3 * 10**9
    assert camera.read() is None
    again = PhotoCamera("c", tmp_path, positions[0], monotonic_ns=time.monotonic_ns, wall_ns=lambda: now[0])
    again.open()
    frame = again.read()
    assert frame is not None
    assert frame.position == positions[1]


def dated(position: str | None) -> int:
    """The newest date in a position of a folder."""
    return int((position or "").partition(" ")[0])


class Shots:
    """A watched folder, with a clock that can be set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "shots"
        self.folder.mkdir()
        self.now_ns = 1_900_000_000_000_000_000
        self.position: str | None = None
        self.picture = encode(tray(np.random.default_rng(1), SIZE, 0.5)[0])
        self.restart()

    def restart(self) -> None:
        self.camera = PhotoCamera(
            "c",
            self.folder,
            self.position,
            monotonic_ns=lambda: self.now_ns,
            wall_ns=lambda: self.now_ns,
            begun=self.folder.parent / "state" / "begun",
        )
        self.camera.open()

    def put(self, *names: str, at_ns: int | None = None) -> None:
        for name in names:
            (self.folder / name).write_bytes(self.picture + name.encode())
            os.utime(self.folder / name, ns=(self.now_ns if at_ns is None else at_ns,) * 2)
        self.now_ns += 2 * SETTLED_NS

    def taken(self) -> int:
        """How many pictures there are to take up now."""
        count = 0
        for _ in range(3):
            while (frame := self.camera.read()) is not None:
                self.position = frame.position
                count += 1
            self.now_ns += SETTLED_NS
        return count


def test_a_picture_is_new_by_its_name_whatever_its_date(tmp_path: Path) -> None:
    shots = Shots(tmp_path)
    second = shots.now_ns
    shots.put("b1.jpg", at_ns=second)
    assert shots.taken() == 1
    shots.put("b2.jpg", "a0.jpg", at_ns=second)  # an upload that keeps whole seconds
    assert shots.taken() == 2
    shots.put("copied.jpg", at_ns=second - 10**17)
    assert shots.taken() == 1
    shots.put("b1.jpg", at_ns=second + 10**9)  # cameras that number up to 9999 begin anew
    assert shots.taken() == 1
    shots.put("ahead.jpg", at_ns=second + 3600 * 10**9)  # summer time
    assert shots.taken() == 1
    assert shots.taken() == 0
    shots.restart()
    assert shots.taken() == 0


def test_a_clock_that_came_up_behind_hides_no_picture(tmp_path: Path) -> None:
    shots = Shots(tmp_path)
    shots.put("before.jpg")
    assert shots.taken() == 1
    shots.now_ns -= 1800 * 10**9
    shots.restart()
    assert shots.taken() == 0, "once, also by a clock that has not come so far again"
    shots.put("1.jpg", "2.jpg")
    assert shots.taken() == 2
    shots.now_ns += 1800 * 10**9
    shots.put("3.jpg")
    shots.restart()
    assert shots.taken() == 1


def test_after_a_restart_dates_tell_and_what_they_leave_out_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shots = Shots(tmp_path)
    shots.now_ns = time.time_ns() - 10**9
    shots.put("far.jpg", at_ns=shots.now_ns + 10**18)
    shots.put(*(f"{number}.jpg" for number in range(5)))
    assert shots.taken() == 6
    shots.now_ns = time.time_ns() + 10**9
    shots.put("new.jpg")
    shots.restart()
    assert shots.taken() == 1, "a date years ahead keeps no others out"
    assert caplog.text == ""
    shots.position = str(time.time_ns())
    time.sleep(0.02)  # files are dated by a coarser clock
    shots.put("copied.jpg", at_ns=10**18)
    shots.restart()
    assert "1 pictures may have come while nobody looked" in caplog.text


def test_a_date_years_ahead_that_lay_there_first_hides_nothing_and_is_never_new(tmp_path: Path) -> None:
    shots = Shots(tmp_path)
    shots.now_ns = time.time_ns() + 10**9
    shots.put("far.jpg", at_ns=shots.now_ns + 10**17)
    shots.restart()
    assert shots.taken() == 0
    shots.put("first.jpg")
    assert shots.taken() == 1
    shots.put("meanwhile.jpg")
    shots.restart()
    assert shots.taken() == 1
    shots.put(*(f"{number}.jpg" for number in range(RECENT + 1)))
    assert shots.taken() == RECENT + 1
    shots.restart()
    assert shots.taken() == 0


def test_a_picture_that_ends_the_program_is_tried_once_more_and_then_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = Shots(tmp_path)
    shots.put("first.jpg")
    assert shots.taken() == 1
    shots.put("deadly.jpg")
    shots.put("next.jpg")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("edge.vision.photos.decode", killed)
        for _ in range(TRIES):
            shots.restart()
            with pytest.raises(KeyboardInterrupt):
                shots.camera.read()
    shots.restart()
    with pytest.raises(BadPicture, match=r"deadly\.jpg: the program ended 2 times") as told:
        shots.camera.read()
    shots.position = told.value.position
    shots.restart()
    assert shots.taken() == 1
    (tmp_path / "state" / "begun").write_bytes(b"\xff \0")
    shots.put("last.jpg")
    assert shots.taken() == 1


def test_what_lay_there_first_is_never_new_also_where_its_disk_comes_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = Shots(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    for number in range(3):
        (disk / f"{number}.jpg").write_bytes(shots.picture)
    shots.folder.rename(tmp_path / "empty")
    real = Path.stat
    disk.rename(shots.folder)

    def mounted(path: Path, **more: bool) -> os.stat_result:
        told = real(path, **more)
        return os.stat_result((*told[:2], told.st_dev + 1, *told[3:])) if path == shots.folder else told

    monkeypatch.setattr(Path, "stat", mounted)
    assert shots.taken() == 0
    shots.put("3.jpg")
    assert shots.taken() == 1


def test_a_folder_with_a_link_to_nowhere_or_in_a_circle_is_watched_all_the_same(tmp_path: Path) -> None:
    shots = Shots(tmp_path)
    (shots.folder / "loop.jpg").symlink_to(shots.folder / "loop.jpg")
    (shots.folder / "gone.jpg").symlink_to(tmp_path / "gone")
    shots.put("good.jpg")
    assert shots.taken() == 1
