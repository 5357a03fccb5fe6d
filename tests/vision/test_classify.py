"""`werkpuls classify` and `werkpuls teach` from photos to lines and pictures; bad files are told and the others go on."""

from __future__ import annotations

import argparse
import json
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.trays import folder, photo

from edge.vision.calibration import Calibration
from models.quality.card import read_card
from models.quality.classifier import WEIGHTS
from werkpuls import cli, pictures
from werkpuls.graded import BELT, COLOURS, Mark, graded

KEYS = {"box", "label", "verdict", "confidence", "lightness", "size_mm", "cut_off"}


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def verdicts(line: dict[str, Any]) -> list[str]:
    return [item["verdict"] for item in line["items"]]


def classify(*words: object) -> int:
    return cli.main(["classify", *map(str, words)])


def teach(*words: object) -> int:
    return cli.main(["teach", *map(str, words)])


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("taught")
    good, bad = folder(home / "good", "good", 2), folder(home / "bad", "broken", 2, seed=50)
    assert teach(home / "rounds", "--good", good, "--bad", bad, "--product", "Runde") == 0
    return home / "rounds.json"


def test_a_json_line_for_each_photo_with_all_that_is_promised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trays = folder(tmp_path / "trays", "mixed", 2)
    (trays / "notes.txt").write_text("no photo")
    assert classify(trays, trays / "00.jpg", "--json") == 0
    said = capsys.readouterr()
    found = lines(said.out)
    assert [line["image"] for line in found] == [str(trays / name) for name in ("00.jpg", "01.jpg", "00.jpg")]
    assert found[0]["items"] == found[2]["items"]
    labels = set(read_card(WEIGHTS / "goods.json").labels)
    for line in found:
        assert set(line) == {"image", "items"}
        assert len(line["items"]) == 6
        for item in line["items"]:
            assert set(item) == KEYS
            assert item["label"] in labels
            assert item["verdict"] in ("good", "reject", "unsure")
            assert 0 <= item["confidence"] <= 1
            assert all(0 <= share <= 1 for share in item["box"])
            assert item["size_mm"] is None
            assert item["cut_off"] is False
    assert list(trays.glob("*.png")) == []


def test_a_taught_profile_judges_new_photos_and_sizes_are_in_mm(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trays = folder(tmp_path / "trays", "mixed", 1, seed=20)
    plane = tmp_path / "plane.json"
    Calibration(np.diag((320.0, 240.0, 1.0)), 0.1, 4).save(plane)
    for name in (taught, taught.with_suffix("")):
        assert classify(trays, "--profile", name, "--json", "--calibration", plane) == 0
        (line,) = lines(capsys.readouterr().out)
        assert verdicts(line) == ["good"] * 3 + ["reject"] * 3
        assert all(item["size_mm"] == pytest.approx(46, abs=4) for item in line["items"][:3])


@pytest.mark.parametrize(("aspect", "noted"), [(4 / 3, False), (16 / 9, True)])
def test_a_photo_of_another_shape_than_the_calibrated_is_noted_and_sizes_stand_in_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, aspect: float, *, noted: bool
) -> None:
    from werkpuls import graded as drawing  # noqa: PLC0415  # its drawing is watched

    words: list[str] = []
    drawn = drawing.graded

    def watched(image: NDArray[np.uint8], marks: Sequence[Mark], belt: NDArray[np.float32] | None) -> NDArray[np.uint8]:
        words.extend(word for mark in marks for word in mark.words)
        return drawn(image, marks, belt)

    monkeypatch.setattr(drawing, "graded", watched)
    plane = tmp_path / "plane.json"
    Calibration(np.diag((320.0, 240.0, 1.0)), 0.1, 4, aspect).save(plane)
    assert classify(folder(tmp_path / "trays", "good", 1), "--calibration", plane) == 0
    assert ("not the shape that was calibrated" in capsys.readouterr().err) is noted
    assert sum(word.endswith(" mm") for word in words) == 6


def test_of_a_folder_of_profiles_the_nearest_is_taken(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert teach(taught.parent / "smalls", "--good", folder(tmp_path / "small", "small", 2)) == 0
    capsys.readouterr()
    both = [folder(tmp_path / "a", "good", 1, seed=30), folder(tmp_path / "b", "small", 1, seed=30)]
    assert classify(*both, "--profile", taught.parent, "--json") == 0
    for line in lines(capsys.readouterr().out):
        assert verdicts(line).count("good") >= 5


@pytest.mark.parametrize(("language", "word"), [("de", "Stück"), ("en", "items")])
def test_without_json_a_picture_with_words_is_made(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, word: str
) -> None:
    trays = folder(tmp_path / "trays", "mixed", 1, seed=20)
    assert classify(trays, "--profile", taught, "--lang", language) == 0
    assert f"6 {word}: 3 " in capsys.readouterr().out
    made, before = cv2.imread(str(trays / "00.graded.png")), cv2.imread(str(trays / "00.jpg"))
    assert made is not None
    assert before is not None
    assert made.shape == before.shape
    for kind, there in (("good", True), ("reject", True), ("cut_off", False)):
        drawn = (np.abs(made.astype(int) - COLOURS[kind]).max(axis=2) < 3).sum()
        assert bool(drawn > 500) is there, kind
    out = tmp_path / "out" / "deep"
    assert classify(trays, "--out", out) == 0
    assert [path.name for path in out.iterdir()] == ["00.graded.png"]
    assert [photo.path.name for photo in pictures.photos([trays])] == ["00.jpg"]


def test_where_much_is_cut_off_corners_are_hinted_at_and_those_given_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    belt = tmp_path / "belt"
    belt.mkdir()
    tray = photo("good", 1)
    for number in range(2):
        cv2.imwrite(str(belt / f"{number}.png"), tray[tray.shape[0] // 4 : -tray.shape[0] // 4])
    assert classify(belt, "--json") == 0
    assert "--corners" in capsys.readouterr().err
    trays, given = folder(tmp_path / "trays", "good", 1), ("--corners", "0.05,0.05,0.95,0.05,0.95,0.6,0.05,0.6")
    assert classify(trays) == 0
    assert (cv2.imread(str(trays / "00.graded.png")) == BELT).all(axis=2).sum() == 0
    assert classify(trays, *given) == 0
    assert (cv2.imread(str(trays / "00.graded.png")) == BELT).all(axis=2).sum() > 500
    assert "--corners" not in capsys.readouterr().err


def test_corners_leave_out_what_lies_beside_the_belt_and_boxes_stay_those_of_the_photo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trays = folder(tmp_path / "trays", "good", 1)
    whole = classify(trays, "--json"), lines(capsys.readouterr().out)
    upper = classify(trays, "--json", "--corners", "0,0, 1,0, 1,0.5, 0,0.5"), lines(capsys.readouterr().out)
    assert (whole[0], upper[0]) == (0, 0)
    assert len(upper[1][0]["items"]) == 3
    for one, other in zip(whole[1][0]["items"][:3], upper[1][0]["items"], strict=True):
        assert one["box"] == pytest.approx(other["box"], abs=0.01)
    assert classify(trays, "--corners", "0,0, 1,0, 1,0.5, 0,0.5") == 0


def test_photos_cut_to_their_item_are_taught_and_graded_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trays = folder(tmp_path / "trays", "good", 2)
    assert classify(trays, "--json") == 0
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    for line in lines(capsys.readouterr().out):
        tray = cv2.imread(line["image"])
        assert tray is not None
        for number, item in enumerate(item for item in line["items"] if not item["cut_off"]):
            x, y, width, height = (round(share * side) for share, side in zip(item["box"], (640, 480) * 2, strict=True))
            cv2.imwrite(str(pieces / f"{Path(line['image']).stem}{number}.png"), tray[y : y + height, x : x + width])
    assert teach(tmp_path / "p", "--good", pieces) == 0
    assert "12 good" in capsys.readouterr().out
    assert classify(pieces, "--profile", tmp_path / "p", "--json") == 0
    for line in lines(capsys.readouterr().out):
        assert verdicts(line) == ["good"]
        assert line["items"][0]["box"] == pytest.approx([0, 0, 1, 1], abs=0.08)
    assert classify(pieces / "000.png", "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "000.graded.png").exists()


def _png(width: int, height: int) -> bytes:
    """The head of a PNG of any size, with no picture in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bad_files(home: Path, good: bytes) -> list[str]:
    """Files that are no photos, by name."""
    home.mkdir()
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "green")]
    frames[0].save(home / "animated.gif", save_all=True, append_images=frames[1:])
    contents = {
        "truncated.jpg": good[: len(good) // 2],
        "headless.jpg": good[:200],
        "text.jpg": b"this is a text\n" * 20,
        "empty.jpg": b"",
        "huge.png": _png(10_000, 10_000),
        "hollow.png": _png(640, 480),
    }
    for name, content in contents.items():
        (home / name).write_bytes(content)
    Image.new("RGB", (20, 20)).save(home / "tiny.png")
    return [*contents, "animated.gif", "tiny.png"]


def test_bad_files_are_named_one_by_one_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trays = folder(tmp_path / "trays", "good", 1)
    names = bad_files(tmp_path / "bad", (trays / "00.jpg").read_bytes())
    missing, empty = tmp_path / "none.jpg", tmp_path / "empty"
    empty.mkdir()
    assert classify(tmp_path / "bad", missing, empty, trays, "--json") == 1
    said = capsys.readouterr()
    (line,) = lines(said.out)
    assert len(line["items"]) == 6
    told = [text for text in said.err.splitlines() if str(tmp_path) in text]
    assert len(told) == len(names) + 2
    for name in (*names, "none.jpg", "empty"):
        assert sum(f"/{name}: " in text for text in told) == 1, name
    assert "Traceback" not in said.err


def test_unusual_but_sound_files_are_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tray = photo("good", 1)
    rgb = Image.fromarray(cv2.cvtColor(tray, cv2.COLOR_BGR2RGB))
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    cv2.imwrite(str(tmp_path / "deep.png"), tray.astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter clockwise
    rgb.rotate(90, expand=True).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    rgb.convert("L").save(tmp_path / "grey.jpg", quality=95)
    assert classify(tmp_path, "--json") == 0
    found = {Path(line["image"]).stem: line["items"] for line in lines(capsys.readouterr().out)}
    assert {name: len(items) for name, items in found.items()} == dict.fromkeys(("cmyk", "deep", "grey", "turned"), 6)
    for one, other in zip(found["deep"], found["turned"], strict=True):
        assert one["box"] == pytest.approx(other["box"], abs=0.02)
        assert one["lightness"] == pytest.approx(other["lightness"], abs=2)


def test_of_a_picture_that_shows_too_little_it_is_said_why_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tray = photo("good", 1)
    cv2.imwrite(str(tmp_path / "night.png"), tray // 40)
    height, width = tray.shape[:2]
    hand = cv2.ellipse(tray, (width // 2, height), (width // 3, height // 2), 0, 0, 360, (130, 160, 215), -1)
    cv2.imwrite(str(tmp_path / "hand.png"), hand)
    assert classify(tmp_path, "--json", "--lang", "de") == 0
    said = capsys.readouterr()
    assert len(lines(said.out)) == 2
    hidden, dark = said.err.splitlines()
    assert hidden == f"{tmp_path}/hand.png: Sicht verdeckt (camera_blocked)"
    assert dark.startswith(f"{tmp_path}/night.png: Bild zu dunkel (camera_dark: brightness ")
    assert ", Grenze " in dark


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = folder(tmp_path / "closed", "good", 1)
    closed.chmod(0)
    try:
        assert classify(closed, "--json") == 1
    finally:
        closed.chmod(0o700)
    assert f"{closed}: cannot be read: Permission denied" in capsys.readouterr().err


def test_a_folder_that_cannot_be_listed_is_a_line_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    (only,) = pictures.photos([tmp_path])
    assert only.problem == f"{tmp_path}: cannot be read: Permission denied"


def test_what_cannot_be_judged_with_is_an_error_and_nothing_is_graded(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trays = folder(tmp_path / "trays", "good", 1)
    other = json.loads(taught.read_text())
    other["card"]["net"] = "b" * 64
    (tmp_path / "other.json").write_text(json.dumps(other))
    cases = {
        "other.json": "another net",
        "trays/00.jpg": "no profile",
        "none": "cannot be read",
        "trays": "no profiles",
    }
    for name, says in cases.items():
        assert classify(trays, "--profile", tmp_path / name, "--json") == 1
        said = capsys.readouterr()
        assert says in said.err
        assert said.out == ""
    (tmp_path / "empty.json").write_text("{}")
    assert classify(trays, "--profile", tmp_path / "empty.json", "--json", "--lang", "de") == 1
    assert capsys.readouterr().err.endswith("empty.json: kein Profil: das hat nicht werkpuls teach geschrieben\n")
    assert classify(trays, "--calibration", taught, "--json") == 1
    assert "no calibration" in capsys.readouterr().err
    assert classify(trays, "--weights", tmp_path, "--json") == 1
    assert "goods.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("x.jpg", "--corners", "0,0,1,1"),
        ("x.jpg", "--corners", "0,0,1,0,1,1,0,nan"),
        ("x.jpg", "--corners", "0,1,1,1,1,0,0,0"),
        ("x.jpg", "--lang", "fr"),
        (),
    ],
)
def test_wrong_use_is_exit_code_2(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        classify(*words)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_folder_for_pictures_that_cannot_be_made_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert classify(tmp_path, "--out", tmp_path / "file" / "below") == 2
    assert "cannot be made" in capsys.readouterr().err


def test_words_stand_in_the_picture_and_beside_each_other() -> None:
    picture = np.full((300, 400, 3), 255, np.uint8)
    corners = np.array(((0, 0), (60, 0), (60, 60), (0, 60)), np.float32)
    marks = [
        Mark(corners + np.array((x, y), np.float32), "reject", ["Fremdkörper 97 %"])
        for x, y in ((0, 0), (339, 0), (339, 239), (150, 150))
    ]
    drawn = graded(picture, marks)
    filled = (np.abs(drawn.astype(int) - COLOURS["reject"]).max(axis=2) < 3).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(cv2.erode(filled, np.ones((5, 5), np.uint8)))
    widths = sorted(stats[1:count, cv2.CC_STAT_WIDTH].tolist())
    assert len(widths) >= len(marks)
    assert (picture == 255).all()


def test_corners_are_eight_numbers() -> None:
    assert pictures.corners("0,0 1,0 1,1 0,1").size(640, 480) == (640, 480)
    with pytest.raises(argparse.ArgumentTypeError, match="eight numbers"):
        pictures.corners("a,b")
