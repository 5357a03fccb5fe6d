"""Video files, and network cameras on this computer, that show given pictures."""

from __future__ import annotations

import subprocess
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


def h264(path: Path, images: Sequence[Image]) -> None:
    """Writes H.264 as network cameras send it: a key picture each second, the others build on the one before.

    Args:
        path: its ending says which container.
        images: (height, width, 3) uint8, BGR, all of one size.

    Raises:
        FileNotFoundError: OpenCV brings no encoder for it, and FFmpeg's own command is not installed.
        subprocess.CalledProcessError: it has no encoder either.
    """
    height, width = images[0].shape[:2]
    taken = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "-"]
    made = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0", "-refs", "1", "-g", str(FPS)]
    command = ["ffmpeg", "-loglevel", "error", "-y", *taken, *made, str(path)]
    content = b"".join(image.tobytes() for image in images for _ in range(HELD))
    subprocess.run(command, input=content, check=True)


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
