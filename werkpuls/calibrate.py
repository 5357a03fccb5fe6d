"""`werkpuls calibrate`: from a photo of the printed sheet, or of a card, to millimetres; the sheet to print; and a belt's corners."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from werkpuls.options import Values, needs_opencv
from werkpuls.reading import OVERWRITTEN, is_read
from werkpuls.words import Words

EXAMPLE = "werkpuls calibrate photo.jpg --out belt.json"
DONE, PROBLEM, WRONG_USE = 0, 1, 2
RULER = "ruler"
LENGTH_MM = (1.0, 1000.0)
"""Shortest and longest side of a marker or card."""


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    file, length = words.say("value.file"), Values(words).within(*LENGTH_MM, "calibrate.length")
    parser.add_argument(
        "photo", nargs="?", type=Path, metavar=words.say("value.photo"), help=words.say("calibrate.photo")
    )
    parser.add_argument("--sheet", type=Path, metavar="PDF", help=words.say("calibrate.sheet"))
    parser.add_argument("--out", type=Path, metavar=file, help=words.say("calibrate.out"))
    parser.add_argument("--marker-mm", type=length, metavar="MM", help=words.say("calibrate.marker_mm"))
    parser.add_argument("--card", type=_card(length, words), metavar="AxB", help=words.say("calibrate.card"))
    parser.add_argument(
        "--corners", nargs="?", const=RULER, metavar="X,Y,X,Y,X,Y,X,Y", help=words.say("calibrate.corners")
    )


def run(args: argparse.Namespace, words: Words) -> int:
    """Calibrates; 0 done, 1 the photo cannot be used, 2 wrong use."""
    if problem := needs_opencv(words):
        return _say(problem, WRONG_USE)
    if problem := _contradiction(args, words):
        return _say(problem, WRONG_USE)
    try:
        if args.corners is not None:
            return _corners(args, words)
        return _write_sheet(args.sheet, words) if args.sheet is not None else _calibrate(args, words)
    except OSError as exc:
        return _say(words.say("calibrate.not_written", what=words.told(exc)), PROBLEM)


def _contradiction(args: argparse.Namespace, words: Words) -> str:
    """What does not go together; empty where all does."""
    if (args.photo is None) == (args.sheet is None):
        return words.say("calibrate.photo_or_sheet")
    if args.corners is not None and (args.card, args.marker_mm) != (None, None):
        return words.say("calibrate.corners_alone")
    if args.card is not None and args.marker_mm is not None:
        return words.say("calibrate.marker_or_card")
    if is_read(args.out, (args.photo,)):
        return words.told(f"{args.out}: {OVERWRITTEN}")
    return ""


def _write_sheet(path: Path, words: Words) -> int:
    from edge.vision.marker import sheet_pdf  # noqa: PLC0415  # needs OpenCV

    path.write_bytes(sheet_pdf())
    sys.stdout.write(words.say("calibrate.print", sheet=path) + "\n")
    return DONE


def _calibrate(args: argparse.Namespace, words: Words) -> int:
    from edge.vision.calibration import CalibrationError, by_card, by_sheet  # noqa: PLC0415  # needs OpenCV
    from edge.vision.marker import MARKER_MM  # noqa: PLC0415  # as above
    from werkpuls.pictures import read  # noqa: PLC0415  # as above

    photo = read(args.photo)
    if photo.image is None:
        return _say(words.told(photo.problem), PROBLEM)
    try:
        if args.card is not None:
            found = by_card(photo.image, *args.card)
        else:
            found = by_sheet(photo.image, (args.marker_mm or MARKER_MM) / MARKER_MM)
    except CalibrationError as exc:
        return _say(words.told(f"{args.photo}: {exc}"), PROBLEM)
    out: Path = args.out or args.photo.with_name(f"{args.photo.name}.calibration.json")
    found.save(out)
    height, width = photo.image.shape[:2]
    told = words.say(
        "calibrate.done",
        out=out,
        width=width,
        height=height,
        pixel=words.number(found.mm_per_px(width, height), 3),
        points=found.points,
        residual=words.number(found.residual_mm, 2),
    )
    sys.stdout.write(told + "\n")
    return DONE


def _corners(args: argparse.Namespace, words: Words) -> int:
    """Draws a ruler to read corners off, or corners that were read off, with what is found between them."""
    from edge.vision.decode import encode  # noqa: PLC0415  # needs OpenCV
    from werkpuls.pictures import RULED, corner_points, read  # noqa: PLC0415  # as above
    from werkpuls.ruled import ruled  # noqa: PLC0415  # as above

    try:
        corners = None if args.corners == RULER else corner_points(args.corners)
    except argparse.ArgumentTypeError as exc:
        return _say(f"--corners {words.told(exc)}", WRONG_USE)
    photo = read(args.photo)
    if photo.image is None:
        return _say(words.told(photo.problem), PROBLEM)
    try:
        shown, whole, cut = ruled(photo.image, corners)
    except ValueError as exc:
        return _say(words.told(f"{args.photo}: {exc}"), PROBLEM)
    out: Path = args.out or args.photo.with_name(f"{args.photo.name}{RULED}")
    out.write_bytes(encode(shown, 92))
    if corners is not None:
        points = ", ".join(f"[{x:g}, {y:g}]" for x, y in corners)
        sys.stdout.write(f"corners = [{points}]\n")
    key = "calibrate.ruled" if corners is None else "calibrate.outlined"
    sys.stderr.write(words.say(key, picture=out, whole=whole, cut=cut) + "\n")
    return DONE


def _card(length: Callable[[str], float], words: Words) -> Callable[[str], tuple[float, float]]:
    """The type of a card's two sides in mm, the longer one first."""

    def sides(text: str) -> tuple[float, float]:
        found = [length(part) for part in text.lower().replace("×", "x").split("x")]
        if len(found) != 2:
            raise argparse.ArgumentTypeError(words.say("calibrate.size", text=text))
        return max(found), min(found)

    return sides


def _say(problem: str, code: int) -> int:
    sys.stderr.write(f"werkpuls calibrate: {problem}\n")
    return code
