"""`werkpuls calibrate`: from a photo of the printed sheet, or of a card, to millimetres; the sheet to print; and a belt's corners."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from werkpuls.options import needs_opencv

if TYPE_CHECKING:
    from edge.vision.calibration import Calibration

SUMMARY = "learn from a photo how large a camera's pixels are, or try where in its picture the belt lies"
EXAMPLE = "werkpuls calibrate photo.jpg --out belt.json"
DONE, PROBLEM, WRONG_USE = 0, 1, 2
RULER = "ruler"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument(
        "photo", nargs="?", type=Path, help="the whole picture of the camera, with the sheet or card in it"
    )
    parser.add_argument("--sheet", type=Path, metavar="PDF", help="write the sheet to print, and nothing else")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where the calibration goes (default: PHOTO.calibration.json)"
    )
    parser.add_argument(
        "--marker-mm",
        type=_length,
        metavar="MM",
        help="side of a printed marker as measured (default: 50, as it should be)",
    )
    parser.add_argument(
        "--card",
        type=_card,
        metavar="AxB",
        help="a rectangle of this size in mm instead of the sheet, as 85.6x54 for a bank card",
    )

    parser.add_argument(
        "--corners",
        nargs="?",
        const=RULER,
        metavar="X,Y,X,Y,X,Y,X,Y",
        help="of belt or tray, instead of millimetres: draws a ruler over the photo to read them off, and an outline around all that "
        "would be taken for goods (PHOTO.corners.jpg, or --out); with numbers, draws these corners and what is found between them",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Calibrates; 0 done, 1 the photo cannot be used, 2 wrong use."""
    if problem := needs_opencv():
        return _say(problem, WRONG_USE)
    if problem := _contradiction(args):
        return _say(problem, WRONG_USE)
    try:
        if args.corners is not None:
            return _corners(args)
        return _write_sheet(args.sheet) if args.sheet is not None else _calibrate(args)
    except OSError as exc:
        return _say(f"cannot be written: {exc}", PROBLEM)


def _contradiction(args: argparse.Namespace) -> str:
    """What does not go together; empty where all does."""
    if (args.photo is None) == (args.sheet is None):
        return "a photo, or --sheet and where the sheet is to go"
    if args.corners is not None and (args.card, args.marker_mm) != (None, None):
        return "--corners goes with a photo alone"
    if args.card is not None and args.marker_mm is not None:
        return "either the sheet's --marker-mm or a --card"
    return ""


def _write_sheet(path: Path) -> int:
    from edge.vision.marker import sheet_pdf  # noqa: PLC0415  # needs OpenCV

    path.write_bytes(sheet_pdf())
    print(f"{path}: print it at 100 % on A4 and measure the line of 100 mm")  # noqa: T201  # its answer
    return DONE


def _calibrate(args: argparse.Namespace) -> int:
    from edge.vision.calibration import CalibrationError, by_card, by_sheet  # noqa: PLC0415  # needs OpenCV
    from edge.vision.marker import MARKER_MM  # noqa: PLC0415  # as above
    from werkpuls.pictures import read  # noqa: PLC0415  # as above

    photo = read(args.photo)
    if photo.image is None:
        return _say(photo.problem, PROBLEM)
    try:
        if args.card is not None:
            found = by_card(photo.image, *args.card)
        else:
            found = by_sheet(photo.image, (args.marker_mm or MARKER_MM) / MARKER_MM)
    except CalibrationError as exc:
        return _say(f"{args.photo}: {exc}", PROBLEM)
    out: Path = args.out or args.photo.with_name(f"{args.photo.name}.calibration.json")
    found.save(out)
    height, width = photo.image.shape[:2]
    print(_told(found, out, width, height))  # noqa: T201  # its answer
    return DONE


def _corners(args: argparse.Namespace) -> int:
    """Draws a ruler to read corners off, or corners that were read off, with what is found between them."""
    from edge.vision.decode import encode  # noqa: PLC0415  # needs OpenCV
    from werkpuls.pictures import RULED, corner_points, read  # noqa: PLC0415  # as above
    from werkpuls.ruled import ruled  # noqa: PLC0415  # as above

    try:
        corners = None if args.corners == RULER else corner_points(args.corners)
    except argparse.ArgumentTypeError as exc:
        return _say(f"--corners {exc}", WRONG_USE)
    photo = read(args.photo)
    if photo.image is None:
        return _say(photo.problem, PROBLEM)
    try:
        shown, whole, cut = ruled(photo.image, corners)
    except ValueError as exc:
        return _say(f"{args.photo}: {exc}", PROBLEM)
    out: Path = args.out or args.photo.with_name(f"{args.photo.name}{RULED}")
    out.write_bytes(encode(shown, 92))
    found = f"{out}: {whole} items lie whole in it, {cut} are cut off"
    if corners is None:
        found += (
            ". Where more than goods has an outline: read the corners of belt or tray off the ruler and try them with --corners "
            "X,Y,X,Y,X,Y,X,Y (top left, top right, bottom right, bottom left)"
        )
    else:
        print("corners = [" + ", ".join(f"[{x:g}, {y:g}]" for x, y in corners) + "]")  # noqa: T201  # its answer
        found += ". When only goods have an outline, the line belongs under [[camera]] in node.toml"
    sys.stderr.write(f"{found}\n")
    return DONE


def _told(found: Calibration, out: Path, width: int, height: int) -> str:
    return (
        f"{out}: a pixel in the middle of {width} × {height} is {found.mm_per_px(width, height):.3f} mm wide; "
        f"{found.points} points fit to {found.residual_mm:.2f} mm"
    )


def _length(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of 1 to 1000 mm")
    return value


def _card(text: str) -> tuple[float, float]:
    sides = [_length(part) for part in text.lower().replace("×", "x").split("x")]
    if len(sides) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no size as 85.6x54")
    return max(sides), min(sides)


def _say(problem: str, code: int) -> int:
    sys.stderr.write(f"werkpuls calibrate: {problem}\n")
    return code
