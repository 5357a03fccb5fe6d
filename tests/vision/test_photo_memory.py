"""What unpacking a photo takes: never more than its header was read to ask for, and what asks for too much is refused unread."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.vision.decode import MAX_UNPACKED, Unreadable, decode

SIDE = 1500
MEASURE = """
import json, sys
import cv2, numpy as np
from edge.vision.decode import JPEG, decode
from edge.vision.formats import stated
def now(what):
    return 1024 * int(next(line for line in open("/proc/self/status") if line.startswith(what)).split()[1])
told = {}
decode(cv2.imencode(".png", np.zeros((99, 99, 3), np.uint8))[1].tobytes(), "first")
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    said = stated(data)
    open("/proc/self/clear_refs", "w").write("5")
    before = now("VmRSS")
    decode(data, path)
    frame = 3 * said.width * said.height // (4 if data.startswith(JPEG) else 1)
    told[path] = [now("VmHWM") - before, frame + said.beside]
print(json.dumps(told))
"""


def saved(mode: str, kind: str, **options: Any) -> bytes:
    """A picture that does not pack well: of a plain one a decoder may keep next to nothing."""
    depth = {"L": 1, "LA": 2, "P": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    noise = np.random.default_rng(1).integers(0, 16, (SIDE, SIDE, depth), np.uint8)
    image = Image.frombytes(mode, (SIDE, SIDE), noise.tobytes())
    made = io.BytesIO()
    image.save(made, kind, **options)
    return made.getvalue()


def png(side: int, bits: int, kind: int, channels: int, rows: int) -> bytes:
    """Without noise, of any depth, and with so many rows of those that it states."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    packed = zlib.compress(bytes(rows * (1 + side * channels * bits // 8)), 1)
    header = struct.pack(">IIBBBBB", side, side, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def photos() -> dict[str, bytes]:
    fast: dict[str, Any] = {"compress_level": 0}
    animated = {"save_all": True, "append_images": [Image.new("RGB", (SIDE, SIDE), (1, 2, 3))], **fast}
    strip = {"compression": "packbits", "tiffinfo": {278: SIDE}}
    lossless = {"lossless": True, "method": 0, "quality": 0}
    return {
        "jpeg": saved("RGB", "JPEG"),
        "jpeg, progressive": saved("RGB", "JPEG", progressive=True),
        "jpeg, progressive 4:4:4": saved("RGB", "JPEG", progressive=True, subsampling=0),
        "jpeg, progressive CMYK": saved("CMYK", "JPEG", progressive=True, subsampling=0),
        "png": saved("RGB", "PNG", **fast),
        "png, alpha": saved("RGBA", "PNG", **fast),
        "png, grey alpha": saved("LA", "PNG", **fast),
        "png, transparent colour": saved("RGB", "PNG", transparency=(1, 2, 3), **fast),
        "png, 16 bits": png(SIDE, 16, 2, 3, SIDE),
        "png, 16 bits, alpha": png(SIDE, 16, 6, 4, SIDE),
        "png, animated": saved("RGB", "PNG", **animated),
        "webp": saved("RGB", "WEBP", method=0),
        "webp, alpha": saved("RGBA", "WEBP", method=0),
        "webp, lossless": saved("RGB", "WEBP", **lossless),
        "webp, lossless, alpha": saved("RGBA", "WEBP", exact=True, **lossless),
        "bmp": saved("RGB", "BMP"),
        "tiff": saved("RGB", "TIFF"),
        "tiff, alpha": saved("RGBA", "TIFF", compression="tiff_lzw"),
        "tiff, one strip": saved("RGB", "TIFF", **strip),
        "tiff, one strip, alpha": saved("RGBA", "TIFF", **strip),
        "tiff, one strip, CMYK": saved("CMYK", "TIFF", **strip),
        "tiff, one strip, palette": saved("L", "TIFF", **strip),
    }


def test_no_kind_of_photo_takes_more_to_unpack_than_its_header_was_read_to_ask_for(tmp_path: Path) -> None:
    names = {}
    for number, (kind, data) in enumerate(photos().items()):
        names[str(tmp_path / str(number))] = kind
        (tmp_path / str(number)).write_bytes(data)
    # As the unit sets it: what is given back is gone.
    surroundings = {**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *names], env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = {names[path]: figures for path, figures in json.loads(done.stdout).items()}
    assert len(told) == len(names)
    # What every call takes, however small its picture.
    above = {kind: figures for kind, figures in told.items() if figures[0] > figures[1] * 1.05 + 3_000_000}
    assert above == {}
    assert told["png, 16 bits, alpha"][0] > 30_000_000, "it measures nothing"


@pytest.mark.parametrize(("side", "bits", "kind", "channels"), [(7740, 16, 6, 4), (7740, 8, 6, 4), (5200, 16, 4, 2)])
def test_a_small_file_that_would_take_all_memory_is_refused_and_told_what_to_do(
    side: int, bits: int, kind: int, channels: int
) -> None:
    data = png(side, bits, kind, channels, 9)
    with pytest.raises(Unreadable, match=f"MB to unpack, at most {MAX_UNPACKED // 1_000_000}; save it smaller"):
        decode(data, "a")


def test_a_large_photo_as_cameras_make_it_is_read() -> None:
    made = io.BytesIO()
    Image.new("RGB", (8000, 6000)).save(made, "JPEG")
    assert decode(made.getvalue(), "a").shape == (750, 1000, 3)
