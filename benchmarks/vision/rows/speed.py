"""What a frame costs, from its bytes to the message, against what nobody can save: decoding, resizing and the bare net."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row
from benchmarks.vision.photos import biscuits as photos
from edge.vision.decode import decode
from edge.vision.inspector import Inspector
from edge.vision.items import find_items
from models.quality.classifier import WEIGHTS, Classifier
from models.quality.crop import SIDE
from models.quality.runtime import interpreter
from wire.messages import Item

HEIGHT, WIDTH, ITEMS = 1200, 1600, 20
_COLUMNS = 5
_LONGER_PX = 190
REPEATS = 15


def measure(bench: Bench) -> Row:
    """Twenty real biscuits in one frame; each way is run in turns, on one thread, and the median of processor time counts."""
    frame = _frame(bench)
    data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    classifier = Classifier.shipped()
    inspector = Inspector(classifier)
    found = len(find_items(decode(data, "frame")))
    bare = _bare(data, classifier.card.views)

    def whole() -> bytes:
        result = inspector.inspect(decode(data, "frame"))
        items = [
            Item(
                box=item.box,
                label=item.label,
                verdict=item.verdict,
                confidence=item.confidence,
                lightness=item.lightness,
                cut_off=item.cut_off,
            )
            for item in result.items
        ]
        return msgspec.json.encode(items)

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        ours, theirs = _times((whole, bare), REPEATS * (4 if bench.full else 1))
    finally:
        cv2.setNumThreads(threads)
    return Row(
        f"a frame of {WIDTH} by {HEIGHT} with {found} items, decode to message",
        {
            "items": found,
            "ms": round(1e3 * ours, 2),
            "ms bare": round(1e3 * theirs, 2),
            "times": round(ours / theirs, 3),
        },
        (Floor("times", 1.6, at_least=False), Floor("items", ITEMS)),
        notes=(
            f"bare: cv2.imdecode, cv2.resize of each item's box to {SIDE} by {SIDE}, and invoke() for its {classifier.card.views} views",
        ),
    )


def _frame(bench: Bench) -> NDArray[np.uint8]:
    """Real biscuits cut out of their photos, in rows on a grey ground with a sensor's noise."""
    noise = np.random.default_rng(1).normal(0, 2.0, (HEIGHT, WIDTH, 3))
    frame = np.asarray(np.clip(150 + noise, 0, 255), np.uint8)
    placed = 0
    for photo in photos(bench.data):
        for item in find_items(photo.image):
            if item.cut_off or placed == ITEMS:
                continue
            x, y = (int(value) for value in item.box[:2])
            part = photo.image[y : y + int(item.box[3]), x : x + int(item.box[2])]
            mask = np.zeros(part.shape[:2], np.uint8)
            cv2.fillPoly(mask, [np.rint(item.contour - (x, y)).astype(np.int32)], 255)
            scale = _LONGER_PX / max(part.shape[:2])
            small, cover = (
                np.asarray(cv2.resize(each, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)
                for each in (part, mask)
            )
            row, column = divmod(placed, _COLUMNS)
            top, left = 50 + 285 * row, 60 + 310 * column
            target = frame[top : top + small.shape[0], left : left + small.shape[1]]
            share = cover[..., None] / 255
            target[:] = np.rint(small * share + target * (1 - share)).astype(np.uint8)
            placed += 1
        if placed == ITEMS:
            break
    return frame


def _bare(data: bytes, views: int) -> Callable[[], None]:
    """Decoding, resizing and running the net, with nothing around it."""
    net, _ = interpreter((WEIGHTS / "goods.tflite").read_bytes())
    entry = net.get_input_details()[0]
    pixels = np.frombuffer(data, np.uint8)
    frame = np.asarray(cv2.imdecode(pixels, cv2.IMREAD_COLOR), np.uint8)
    boxes = [tuple(round(value) for value in item.box) for item in find_items(frame)]
    steps = np.zeros(entry["shape"], entry["dtype"])

    def bare() -> None:
        image = cv2.imdecode(pixels, cv2.IMREAD_COLOR)
        if image is None:
            raise RuntimeError("the frame cannot be decoded")
        for x, y, width, height in boxes:
            cv2.resize(image[y : y + height, x : x + width], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        net.set_tensor(entry["index"], steps)
        for _ in range(views * len(boxes)):
            net.invoke()

    return bare


def _times(ways: tuple[Callable[[], object], ...], repeats: int) -> list[float]:
    """Median seconds of processor time of each, run in turns so that both meet the same neighbours."""
    taken: list[list[float]] = [[] for _ in ways]
    gc.collect()
    for number in range(repeats + 2):
        for way, own in zip(ways, taken, strict=True):
            started = time.thread_time()
            way()
            if number >= 2:
                own.append(time.thread_time() - started)
    return [float(np.median(own)) for own in taken]
