"""Corners read off a photo: a ruler over it, what is found between them, and the line for node.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.vision.scene import tray
from werkpuls.cli import main
from werkpuls.pictures import photos
from werkpuls.ruled import ruled

SIZE = (640, 480)
BESIDE = "0,0,0.5,0,0.5,1,0,1"


def belt() -> NDArray[np.uint8]:
    """Goods on the left half, and beside them a machine with bright panels."""
    image = np.full((480, 640, 3), 90, np.uint8)
    image[:, :320] = tray(np.random.default_rng(4), (320, 480), 0.6, count=6)[0]
    for top in (40, 180, 320):
        cv2.rectangle(image, (380, top), (470, top + 90), (230, 230, 225), -1)
    return image


def test_a_ruler_is_drawn_and_what_lies_outside_of_the_corners_is_not_found() -> None:
    photo = belt()
    before = photo.copy()
    everything, whole, _ = ruled(photo, None)
    shown, between, cut = ruled(photo, [(0, 0), (0.5, 0), (0.5, 1), (0, 1)])
    assert (photo == before).all()
    assert between + cut == 6
    assert whole > between
    assert everything.shape == shown.shape == photo.shape
    assert (shown[:, 64] == 255).all(axis=1).mean() > 0.5, "the line at one tenth"
    outside, drawn = everything[:, 330:], shown[:, 330:]
    assert (outside != drawn).any(axis=2).sum() > 500, "outlines around the machine, without corners only"


def test_the_command_draws_and_prints_what_belongs_into_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "belt.png"
    cv2.imwrite(str(photo), belt())
    assert main(["calibrate", str(photo), "--corners"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "read the corners" in said.err
    drawn = tmp_path / "belt.png.corners.jpg"
    assert cv2.imread(str(drawn)) is not None
    assert [each.path for each in photos([tmp_path])] == [photo], "what was drawn is no photo of goods"
    assert main(["calibrate", str(photo), "--corners", BESIDE, "--out", str(tmp_path / "tried.jpg")]) == 0
    said = capsys.readouterr()
    assert tomllib.loads(said.out) == {"corners": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
    assert (tmp_path / "tried.jpg").exists()
    assert not (tmp_path / "belt.png.calibration.json").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--corners", "0,0,1,0"], 2, "eight numbers"),
        (["--corners", "0,0,0,1,1,1,1,0"], 2, "corners go round"),
        (["--corners", "0,0,0.01,0,0.01,0.01,0,0.01"], 1, "at least 32"),
        (["--corners", "--card", "85.6x54"], 2, "photo alone"),
    ],
)
def test_wrong_use_is_told(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "belt.png"
    cv2.imwrite(str(photo), belt())
    assert main(["calibrate", str(photo), *words]) == code
    assert said in capsys.readouterr().err
    assert main(["calibrate", str(tmp_path / "none.jpg"), "--corners"]) == 1
