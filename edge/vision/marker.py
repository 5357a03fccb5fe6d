"""The printed sheet that a camera is calibrated with: four square markers, and a page that prints them true to size. Pure.

Markers are of OpenCV's dictionary 4X4_50 (Garrido-Jurado, Muñoz-Salinas, Madrid-Cuevas and Marín-Jiménez, Automatic generation
and detection of highly reliable fiducial markers under occlusion, Pattern Recognition 47, 2014).
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

MARKER_MM = 50.0
"""Side of one marker with its black rim."""
PAGE_MM = (210.0, 297.0)
"""ISO 216 A4, width and height."""
PLACES_MM: Mapping[int, tuple[float, float]] = {0: (25.0, 40.0), 1: (135.0, 40.0), 2: (135.0, 187.0), 3: (25.0, 187.0)}
"""Top left corner of each marker on the page, from its top left corner, by the marker's number."""
_CELLS = 6
_POINTS_PER_MM = 72 / 25.4
_RULER_MM = 100.0


def corners_mm(number: int, scale: float = 1.0) -> NDArray[np.float64]:
    """Corners of a marker on the sheet, (4, 2) mm: top left, top right, bottom right, bottom left.

    Args:
        number: of the marker.
        scale: how much larger than it should be the sheet was printed.

    Raises:
        KeyError: the sheet has no such marker.
    """
    x, y = PLACES_MM[number]
    square = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), np.float64) * MARKER_MM
    return np.asarray((square + np.array((x, y))) * scale, np.float64)


def sheet_pdf() -> bytes:
    """The sheet as a PDF page, to be printed at 100 %; a line of 100 mm tells whether it was."""
    drawing = ["0 g"]
    for number, (x, y) in PLACES_MM.items():
        cell = MARKER_MM / _CELLS
        for row, column in np.argwhere(_cells(number) == 0).tolist():
            drawing.append(_rectangle(x + column * cell, y + row * cell, cell, cell))
    left = (PAGE_MM[0] - _RULER_MM) / 2
    drawing.append(_rectangle(left, 262, _RULER_MM, 0.4))
    drawing += [_rectangle(left + 10 * k - 0.1, 259 if k % 5 == 0 else 260.5, 0.2, 4) for k in range(11)]
    drawing.append(_text(left, 270, "100 mm  -  mit 100 % drucken / print at 100 %"))
    drawing.append(_text(left, 276, f"werkpuls calibrate PHOTO --marker-mm {MARKER_MM:g}"))
    stream = "\n".join(drawing).encode("ascii")
    page = " ".join(f"{side * _POINTS_PER_MM:.2f}" for side in PAGE_MM)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page}] /Contents 4 0 R "
        "/Resources << /Font << /F 5 0 R >> >> >>".encode("ascii"),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    return _document(objects)


def sheet_picture(dots_per_mm: int = 12) -> NDArray[np.uint8]:
    """The sheet as a picture, (height, width) uint8, for screens and tests; 12 dots per mm are 305 dpi."""
    width, height = (round(side * dots_per_mm) for side in PAGE_MM)
    page = np.full((height, width), 255, np.uint8)
    side = round(MARKER_MM * dots_per_mm)
    for number, (x, y) in PLACES_MM.items():
        cells = (_cells(number) * 255).astype(np.uint8)
        marker = cv2.resize(cells, (side, side), interpolation=cv2.INTER_NEAREST)
        left, top = round(x * dots_per_mm), round(y * dots_per_mm)
        page[top : top + side, left : left + side] = np.asarray(marker, np.uint8)
    return page


def detect(image: NDArray[np.uint8]) -> dict[int, NDArray[np.float64]]:
    """The sheet's markers in a photo: by number the corners, (4, 2) pixels where pixel (0, 0) reaches from 0 to 1.

    Args:
        image: (height, width, 3) or (height, width) uint8.
    """
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(_dictionary(), settings)
    found, numbers, _ = detector.detectMarkers(image)
    if not found:
        return {}
    return {
        int(number): np.asarray(corners, np.float64).reshape(4, 2) + 0.5
        for number, corners in zip(np.ravel(numbers), found, strict=True)
        if int(number) in PLACES_MM
    }


def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def _cells(number: int) -> NDArray[np.uint8]:
    """A marker, one pixel a cell: 0 black, 1 white."""
    picture = cv2.aruco.generateImageMarker(_dictionary(), number, _CELLS)
    return (np.asarray(picture, np.uint8) > 127).astype(np.uint8)


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    """In mm from the page's top left; PDF counts points from its bottom left."""
    sides = (x, PAGE_MM[1] - y - height, width, height)
    return " ".join(f"{side * _POINTS_PER_MM:.3f}" for side in sides) + " re f"


def _text(x: float, y: float, words: str) -> str:
    place = f"{x * _POINTS_PER_MM:.2f} {(PAGE_MM[1] - y) * _POINTS_PER_MM:.2f}"
    return f"BT /F 11 Tf {place} Td ({words}) Tj ET"


def _document(objects: list[bytes]) -> bytes:
    """A PDF 1.4 file of these objects (ISO 32000-1, 7.5)."""
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
