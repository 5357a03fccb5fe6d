"""Network cameras that send Motion JPEG: their pictures are those of photos, and whatever goes wrong is told, never graded."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import cv2
import numpy as np
import pytest
from support.broker import until

from edge.vision import capture, video
from edge.vision.camera import BadPicture, CameraError, Frame
from edge.vision.capture import CameraLoop
from edge.vision.decode import Image, decode, encode
from edge.vision.scene import tray
from edge.vision.trigger import Interval
from edge.vision.video import VideoCamera

SIZE = (320, 240)
Send = Callable[[bytes], object]
Behaviour = Callable[[Send], None]


def picture(number: int, size: tuple[int, int] = SIZE) -> bytes:
    return encode(tray(np.random.default_rng(number), size, 0.5, count=4)[0])


def part(data: bytes) -> bytes:
    return f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data + b"\r\n"


HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def pictures(send: Send, *sent: bytes) -> None:
    """Sends these pictures, many of each, as fast as a camera."""
    send(HEAD)
    for data in sent:
        for _ in range(12):
            send(part(data))
            time.sleep(0.02)


class Camera(ThreadingTCPServer):
    """Does with one caller after the other what it is told, in turn, and hangs up."""

    allow_reuse_address = daemon_threads = True
    block_on_close = False

    def __init__(self, *behaviours: Behaviour) -> None:
        self.turns = deque(behaviours)
        super().__init__(("127.0.0.1", 0), Caller)
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def address(self, scheme: str = "http") -> str:
        return f"{scheme}://user:secret@127.0.0.1:{self.server_address[1]}/stream"


class Caller(StreamRequestHandler):
    def handle(self) -> None:
        camera = self.server
        assert isinstance(camera, Camera)
        behaviour = camera.turns.popleft()
        camera.turns.append(behaviour)
        with suppress(OSError):
            while self.rfile.readline().strip():
                pass
            behaviour(self.wfile.write)
            self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def serve() -> Iterator[Callable[..., Camera]]:
    cameras: list[Camera] = []

    def serving(*behaviours: Behaviour) -> Camera:
        cameras.append(Camera(*behaviours))
        return cameras[-1]

    yield serving
    for camera in cameras:
        camera.shutdown()
        camera.server_close()


def opened(source: str, *, whole: bool = True) -> VideoCamera:
    camera = VideoCamera("c", source, SIZE, monotonic_ns=time.monotonic_ns, whole=whole)
    camera.open()
    return camera


def looked(camera: VideoCamera, seconds: float = 10.0) -> Frame:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        frame = camera.read()
        if frame is not None:
            return frame
        time.sleep(0.01)
    raise AssertionError("no picture came")


def test_a_stream_of_jpegs_shows_what_the_same_jpegs_show_as_photos(serve: Callable[..., Camera]) -> None:
    sent = picture(1)
    camera = opened(serve(lambda send: pictures(send, *[sent] * 9)).address())
    assert np.array_equal(looked(camera).image, decode(sent, "photo"))
    camera.close()


@pytest.mark.parametrize("whole", [True, False])
def test_large_pictures_come_reduced_unless_something_is_cut_out_of_them(tmp_path: Path, *, whole: bool) -> None:
    path, size = tmp_path / "belt.avi", (1600, 1200)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, size)
    for number in range(3):
        writer.write(tray(np.random.default_rng(number), size, 0.5, count=4)[0])
    writer.release()
    camera = opened(str(path), whole=whole)
    shapes = [frame.image.shape for frame in iter(camera.read, None)]
    assert shapes == [(1200, 1600, 3) if whole else (600, 800, 3)] * 3
    camera.close()


def test_a_damaged_picture_is_told_and_the_next_one_taken(serve: Callable[..., Camera]) -> None:
    good, rubbish = picture(1), np.random.default_rng(2).bytes(5000)
    camera = opened(serve(lambda send: pictures(send, good, rubbish, good[: len(good) // 2], *[good] * 99)).address())
    seen: list[str] = []
    while len(seen) < 4:
        try:
            shown = "good" if np.array_equal(looked(camera).image, decode(good, "photo")) else "another"
        except BadPicture as exc:
            shown = str(exc)
        if shown not in seen[-1:]:
            seen.append(shown)
    camera.close()
    assert seen == ["good", "c: no JPEG, PNG, WebP, BMP or TIFF", "c: it ends in the middle of the picture", "good"]


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_camera_that_accepts_and_never_answers_is_given_up(
    scheme: str, serve: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "OPEN_MS", 300)
    hold = Event()
    camera = serve(lambda _: hold.wait(20) and None)
    begun = time.monotonic()
    with pytest.raises(CameraError, match="cannot be opened") as told:
        opened(camera.address(scheme))
    hold.set()
    assert time.monotonic() - begun < 10
    assert "secret" not in str(told.value)


class Heard:
    """What a camera's thread says, without repetitions."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def see(self, frame: Frame, crop: Image) -> None:
        assert frame.image.shape == crop.shape
        self._note(f"{crop.shape[1]} x {crop.shape[0]}")

    def unreadable(self, exc: BadPicture) -> None:
        self._note(str(exc))

    def away(self, why: str) -> None:
        self._note(why.partition("stream ")[2])

    def told(self, said: list[str]) -> bool:
        """Whether all of it was told, in this order; on a busy computer more may be told in between."""
        log = iter(list(self.log))
        return all(each in log for each in said)

    def _note(self, text: str) -> None:
        if text not in self.log[-1:]:
            self.log.append(text)


def test_its_thread_goes_on_over_all_of_it(serve: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "OPEN_MS", 2000)
    monkeypatch.setattr(video, "READ_MS", 800)
    monkeypatch.setattr(capture, "RETRY_S", 0.01)
    monkeypatch.setattr(capture, "LONGEST_RETRY_S", 0.01)
    small, other = picture(1), picture(2, (400, 300))
    hold = Event()
    rubbish = np.random.default_rng(3).bytes(200_000)

    def silent(_: Send) -> None:
        hold.wait(20)

    def garbage(send: Send) -> None:
        send(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
        while not hold.wait(0.01):
            send(rubbish)

    def stops(send: Send) -> None:
        pictures(send, small)
        send(part(small)[:4000])
        hold.wait(20)

    def changes(send: Send) -> None:
        pictures(send, small, other, other, other)

    def well(send: Send) -> None:
        pictures(send, *[other] * 9)

    heard = Heard()
    camera = VideoCamera(
        "c", serve(silent, garbage, stops, changes, well).address(), SIZE, monotonic_ns=time.monotonic_ns
    )
    loop = CameraLoop(
        "c", camera, Interval(0.01), heard, crop=None, idle_s=0.01, monotonic_ns=time.monotonic_ns, moved=lambda: None
    )
    loop.start()
    said = [
        "cannot be opened",
        "320 x 240",
        "delivers no pictures",
        "320 x 240",
        "delivers pictures of another size than before: 400 × 300",
        "400 x 300",
    ]
    until(lambda: heard.told(said), 50, "not all of it was told")
    loop.stop()
    hold.set()
    assert loop.join(5)
    assert heard.told(said)
