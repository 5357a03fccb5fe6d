"""From a printed sheet or a card to millimetres, through perspective, within two per cent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.scenes import disc, square

from edge.vision.calibration import Calibration, CalibrationError, by_card, by_sheet
from edge.vision.geometry import BeltCrop
from edge.vision.items import find_items
from edge.vision.marker import PAGE_MM, corners_mm, detect, sheet_pdf, sheet_picture
from werkpuls.cli import main

WIDTH, HEIGHT = 1600, 1200
TILTED = np.array(((330, 180), (1150, 150), (1330, 1100), (190, 1130)), np.float32)
"""Where the page's corners are in the photo."""


def plane_to_photo(dots_per_mm: float = 1.0) -> NDArray[np.float64]:
    page = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), np.float32) * np.array(PAGE_MM, np.float32) * dots_per_mm
    return np.asarray(cv2.getPerspectiveTransform(page.astype(np.float32), TILTED), np.float64)


def photo(draw: NDArray[np.uint8], dots_per_mm: float = 6.0) -> NDArray[np.uint8]:
    """A page of this picture lying on a grey table, seen by a tilted camera."""
    warped = cv2.warpPerspective(
        draw, plane_to_photo(dots_per_mm), (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderValue=(120, 120, 120)
    )
    noise = np.random.default_rng(2).normal(0, 2, warped.shape)
    return np.clip(cv2.GaussianBlur(warped, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)


def sheet_photo() -> NDArray[np.uint8]:
    return photo(np.asarray(cv2.cvtColor(sheet_picture(6), cv2.COLOR_GRAY2BGR), np.uint8))


def goods_photo(outlines: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Brown things on the plane, given in mm."""
    page = np.full((round(PAGE_MM[1] * 6), round(PAGE_MM[0] * 6), 3), 120, np.uint8)
    for outline in outlines:
        cv2.fillPoly(page, [np.rint(outline * 6 * 16).astype(np.int32)], (70, 130, 190), lineType=cv2.LINE_AA, shift=4)
    return photo(page)


def test_sizes_are_right_within_two_per_cent_wherever_an_item_lies() -> None:
    calibration = by_sheet(sheet_photo())
    assert calibration.points == 16
    assert calibration.residual_mm < 0.3
    places = [(40.0, 50.0), (165.0, 45.0), (105.0, 150.0), (45.0, 250.0), (160.0, 245.0)]
    goods = [disc(25) + np.array(place, np.float32) for place in places[:4]]
    goods.append(square(30) + np.array(places[4], np.float32))
    found = find_items(goods_photo(goods))
    assert len(found) == 5
    for item in found:
        size = calibration.size_mm(item.contour, WIDTH, HEIGHT)
        if size.area < 2800:
            assert (size.length, size.width) == pytest.approx((50, 50), rel=0.02)
            assert size.area == pytest.approx(np.pi * 25**2, rel=0.03)
        else:
            assert (size.length, size.width) == pytest.approx((60, 60), rel=0.02)


def test_a_frame_of_another_size_and_a_crop_see_the_same_plane() -> None:
    image = sheet_photo()
    calibration = by_sheet(image)
    half = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    marker = detect(image)[2].astype(np.float32)
    assert calibration.size_mm(marker, WIDTH, HEIGHT).length == pytest.approx(50, rel=0.01)
    assert calibration.size_mm(detect(half)[2].astype(np.float32), WIDTH // 2, HEIGHT // 2).length == pytest.approx(
        50, rel=0.01
    )
    crop = BeltCrop([(0.1, 0.08), (0.8, 0.06), (0.9, 0.98), (0.08, 0.97)])
    straight = crop.apply(image)
    height, width = straight.shape[:2]
    seen = detect(straight)[2].astype(np.float32)
    assert calibration.within(crop).size_mm(seen, width, height).length == pytest.approx(50, rel=0.02)
    assert calibration.mm_per_px(WIDTH // 2, HEIGHT // 2) == pytest.approx(
        2 * calibration.mm_per_px(WIDTH, HEIGHT), rel=1e-3
    )


def test_one_marker_is_enough_and_a_print_of_another_size_is_told() -> None:
    image = sheet_photo()
    hidden = image.copy()
    hidden[:, 760:] = 120
    hidden[600:] = 120
    one = by_sheet(hidden)
    assert one.points == 4
    marker = detect(image)[0].astype(np.float32)
    assert one.size_mm(marker, WIDTH, HEIGHT).length == pytest.approx(50, rel=0.01)
    larger = by_sheet(image, scale=1.04)
    assert larger.size_mm(marker, WIDTH, HEIGHT).length == pytest.approx(52, rel=0.01)


def test_a_card_is_enough() -> None:
    card = np.array(((-42.8, -27), (42.8, -27), (42.8, 27), (-42.8, 27)), np.float32) + np.array((105, 140), np.float32)
    calibration = by_card(goods_photo([card]), 85.6, 54.0)
    coin = disc(20) + np.array((60, 90), np.float32)
    (item,) = find_items(goods_photo([coin]))
    assert calibration.size_mm(item.contour, WIDTH, HEIGHT).length == pytest.approx(40, rel=0.03)


def test_photos_without_marker_or_card_are_refused() -> None:
    with pytest.raises(CalibrationError, match="no marker"):
        by_sheet(goods_photo([]))
    with pytest.raises(CalibrationError, match="no rectangle"):
        by_card(goods_photo([disc(25) + np.array((100, 100), np.float32)]), 85.6, 54)
    with pytest.raises(ValueError, match="longer side"):
        by_card(goods_photo([]), 54, 85.6)


def test_a_calibration_comes_back_from_its_file(tmp_path: Path) -> None:
    calibration = by_sheet(sheet_photo())
    calibration.save(tmp_path / "c.json")
    again = Calibration.load(tmp_path / "c.json")
    assert np.allclose(again.matrix, calibration.matrix)
    assert again.points == calibration.points


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"format": 1, "matrix": [1, 2], "residual_mm": 0, "points": 4}',
        '{"format": 1, "matrix": [1, 0, 0, 1, 0, 0, 0, 0, 0], "residual_mm": 0, "points": 4}',
        '{"format": 2, "matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1], "residual_mm": 0, "points": 4}',
        '{"format": 1, "matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1], "residual_mm": 0, "points": 4, "more": 1}',
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(CalibrationError, match=r"c\.json"):
        Calibration.load(tmp_path / "c.json")
    with pytest.raises(CalibrationError, match="missing"):
        Calibration.load(tmp_path / "missing.json")


def test_the_page_to_print_has_the_markers_true_to_size() -> None:
    pdf = sheet_pdf()
    assert pdf.startswith(b"%PDF-1.4")
    start = int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    assert pdf[start:].startswith(b"xref")
    for place, number in zip(re.findall(rb"(?m)^(\d{10}) 00000 n", pdf), range(1, 6), strict=True):
        assert pdf[int(place) :].startswith(b"%d 0 obj" % number)
    box = [float(side) for side in re.findall(rb"MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)[0]]
    assert box == pytest.approx([side * 72 / 25.4 for side in PAGE_MM], abs=0.01)
    dots = 8.0
    page = np.full((round(PAGE_MM[1] * dots), round(PAGE_MM[0] * dots)), 255, np.uint8)
    for each in re.findall(rb"([\d.-]+) ([\d.-]+) ([\d.-]+) ([\d.-]+) re f", pdf):
        x, y, width, height = (float(value) * 25.4 / 72 for value in each)
        top = PAGE_MM[1] - y - height
        page[round(top * dots) : round((top + height) * dots), round(x * dots) : round((x + width) * dots)] = 0
    markers = detect(page)
    assert set(markers) == {0, 1, 2, 3}
    for number, corners in markers.items():
        assert np.abs(corners / dots - corners_mm(number)).max() < 0.3


def test_the_command_writes_the_sheet_and_a_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--sheet", str(tmp_path / "sheet.pdf")]) == 0
    assert (tmp_path / "sheet.pdf").read_bytes() == sheet_pdf()
    cv2.imwrite(str(tmp_path / "photo.png"), sheet_photo())
    assert main(["calibrate", str(tmp_path / "photo.png"), "--out", str(tmp_path / "belt.json")]) == 0
    said = capsys.readouterr().out
    assert "16 points" in said
    assert Calibration.load(tmp_path / "belt.json").mm_per_px(WIDTH, HEIGHT) == pytest.approx(0.23, abs=0.05)


@pytest.mark.parametrize("more", [[], ["--corners"]])
def test_the_command_never_writes_over_the_photo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    path = tmp_path / "sheet.jpg"
    cv2.imwrite(str(path), sheet_photo())
    before = path.read_bytes()
    assert main(["calibrate", str(path), "--out", str(tmp_path / "." / "sheet.jpg"), *more]) == 2
    assert "is itself read and would be overwritten" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "empty.png"), goods_photo([]))
    assert main(["calibrate", str(tmp_path / "empty.png")]) == 1
    assert main(["calibrate", str(tmp_path / "none.png")]) == 1
    assert main(["calibrate", str(tmp_path / "empty.png"), "--card", "85,6x54"]) == 1, "a comma will do"
    assert main(["calibrate"]) == 2
    assert main(["calibrate", str(tmp_path / "empty.png"), "--card", "85.6x54", "--marker-mm", "49"]) == 2
    said = capsys.readouterr().err
    assert "no marker" in said
    assert "none.png" in said
    for wrong in (["--card", "85"], ["--marker-mm", "-3"], ["--marker-mm", "wide"]):
        with pytest.raises(SystemExit):
            main(["calibrate", "x.png", *wrong])


def test_classify_says_sizes_by_the_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_sheet(sheet_photo()).save(tmp_path / "belt.json")
    goods = [disc(25) + np.array((60, 80), np.float32), disc(30) + np.array((150, 200), np.float32)]
    cv2.imwrite(str(tmp_path / "tray.png"), goods_photo(goods))
    for corners in ([], ["--corners", "0.08,0.06,0.85,0.06,0.95,0.98,0.06,0.98"]):
        assert (
            main(
                [
                    "classify",
                    str(tmp_path / "tray.png"),
                    "--json",
                    "--calibration",
                    str(tmp_path / "belt.json"),
                    *corners,
                ]
            )
            == 0
        )
        sizes = sorted(item["size_mm"] for item in json.loads(capsys.readouterr().out)["items"])
        assert sizes == pytest.approx([50, 60], rel=0.02)
    (tmp_path / "belt.json").write_text("{}")
    assert main(["classify", str(tmp_path / "tray.png"), "--json", "--calibration", str(tmp_path / "belt.json")]) == 1
    assert "belt.json" in capsys.readouterr().err
