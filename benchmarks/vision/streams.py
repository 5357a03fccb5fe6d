"""Video files, and network cameras on this computer, that show given pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

FPS = 15
HELD = 10
"""Each picture is shown so many times: a tray lies there for a while."""
_PIECE_S = 0.05
_MULTIPART = "multipart/x-mixed-replace; boundary=frame"


def video(path: Path, images: Sequence[Image], code: str) -> None:
    """Writes a video file.

    Args:
        path: its ending says which container.
        images: (height, width, 3) uint8, BGR, all of one size.
        code: four letters that OpenCV knows a codec by.

    Raises:
        RuntimeError: OpenCV has no such codec here.
    """
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), FPS, (width, height))
    if not writer.isOpened():
        raise RuntimeError(f"no video of the kind {code} can be written")
    for image in images:
        for _ in range(HELD):
            writer.write(image)
    writer.release()


@contextmanager
def motion_jpeg(pictures: Sequence[bytes]) -> Iterator[str]:
    """The address of a camera that shows these JPEGs, again and again, as fast as a camera does."""

    def show(send: Callable[[bytes], Any]) -> None:
        while True:
            for data in pictures:
                part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(data), data)
                for _ in range(HELD):
                    send(part)
                    time.sleep(1 / FPS)

    with _served(_MULTIPART, show) as address:
        yield address


@contextmanager
def stream(content: bytes, seconds: float) -> Iterator[str]:
    """The address of a camera that sends this content, which lasts so long, again and again."""
    piece = max(1, round(len(content) * _PIECE_S / seconds))

    def show(send: Callable[[bytes], Any]) -> None:
        while True:
            for start in range(0, len(content), piece):
                send(content[start : start + piece])
                time.sleep(_PIECE_S)

    with _served("video/mp2t", show) as address:
        yield address


@contextmanager
def _served(kind: str, show: Callable[[Callable[[bytes], Any]], None]) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            # The one who looked has gone.
            with suppress(OSError):
                show(self.wfile.write)

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/stream"
        finally:
            server.shutdown()
