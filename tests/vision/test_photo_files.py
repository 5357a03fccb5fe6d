"""Files that commands are given as photos: what can be read is, and of what cannot it is said what it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.trays import photo

from edge.vision.decode import Unreadable, decode
from werkpuls import cli, pictures


def png() -> bytes:
    done, data = cv2.imencode(".png", photo("good", 1)[:64, :64])
    assert done
    return bytes(data)


def test_what_follows_the_end_of_a_png_is_no_part_of_it() -> None:
    assert np.array_equal(decode(png() + bytes(500), "a.png"), decode(png(), "a.png"))


@pytest.mark.parametrize("kept", [20, 200, -1, -12, -13])
def test_a_png_that_is_cut_short_is_refused(kept: int) -> None:
    with pytest.raises(Unreadable, match="ends in the middle"):
        decode(png()[:kept], "a.png")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WebP"])
def test_another_format_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tray.jpg"
    Image.new("RGB", (64, 64), "red").save(path, format=kind)
    assert pictures.read(path).problem == f"{path}: neither JPEG nor PNG but {kind}: save it as one of them"


def test_a_telephones_heic_is_named() -> None:
    with pytest.raises(Unreadable, match="but HEIC"):
        decode(b"\0\0\0\x18ftypheic" + bytes(40), "IMG_1.HEIC")


def test_a_pipe_is_not_waited_for_and_a_folder_is_no_photo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "Größe 1.JPG").write_bytes(bytes(cv2.imencode(".jpg", photo("good", 1))[1]))
    told = {each.path.name: each.problem for each in pictures.photos([tmp_path])}
    assert set(told) == {"pipe.jpg", "loop.jpg", "Größe 1.JPG"}
    assert told["pipe.jpg"] == f"{tmp_path}/pipe.jpg: no file"
    assert "cannot be read" in told["loop.jpg"]
    assert told["Größe 1.JPG"] == ""


def test_pictures_of_photos_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    for number, name in enumerate(("a/x.png", "b/x.png", "b/x.jpg")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), photo("good", number))
    words = ["classify", *(str(tmp_path / each) for each in ("a", "b")), "--out", str(tmp_path / "out")]
    assert cli.main(words) == 0
    made = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in made] == ["x-2.graded.png", "x-3.graded.png", "x.graded.png"]
    assert len({path.read_bytes() for path in made}) == 3


def test_of_a_photo_without_colour_it_is_told_and_of_others_it_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tray = photo("good", 1)
    cv2.imwrite(str(tmp_path / "colour.jpg"), tray)
    cv2.imwrite(str(tmp_path / "grey.jpg"), cv2.cvtColor(tray, cv2.COLOR_BGR2GRAY))
    for words in (["classify", str(tmp_path), "--json"], ["teach", str(tmp_path / "p"), "--good", str(tmp_path)]):
        assert cli.main(words) == 0
        told = [line for line in capsys.readouterr().err.splitlines() if pictures.WITHOUT_COLOUR in line]
        assert told == [f"{tmp_path}/grey.jpg: {pictures.WITHOUT_COLOUR}"]


def test_a_name_that_is_no_text_is_written_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / os.fsdecode(b"tray\xff.png")).write_bytes(bytes(cv2.imencode(".png", photo("good", 1))[1]))
    assert cli.main(["classify", str(tmp_path), "--json"]) == 0
    (line,) = capsys.readouterr().out.encode("utf-8").splitlines()
    assert json.loads(line)["image"] == f"{tmp_path}/tray\ufffd.png"
    assert cli.main(["classify", str(tmp_path)]) == 0
    assert "tray\ufffd.graded.png" in capsys.readouterr().out
