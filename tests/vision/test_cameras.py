"""Every camera keeps the same contract, and says so when it vanishes, hangs or delivers what is no picture."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from edge.vision.camera import BadPicture, Camera, CameraConfigError, CameraError, Frame
from edge.vision.decode import LARGE_PIXELS, Unreadable, decode, encode
from edge.vision.photos import PhotoCamera
from edge.vision.picamera import PiCamera
from edge.vision.picamera_simulation import FAULT
from edge.vision.scene import tray
from edge.vision.simulated import BrowningFile, Loads, SimulatedCamera
from edge.vision.video import VideoCamera

SIZE = (320, 240)
SIMULATION = "edge.vision.picamera_simulation"


def photos(folder: Path) -> Camera:
    made = folder / "photos"
    made.mkdir()
    for number in range(12):
        image, _ = tray(np.random.default_rng(number), SIZE, 0.5, count=4)
        path = made / f"{number}.jpg"
        path.write_bytes(encode(image))
        at = 1_700_000_000_000_000_000 + number
        os.utime(path, ns=(at, at))
    return PhotoCamera("c", made, "0", monotonic_ns=time.monotonic_ns, wall_ns=time.time_ns)


def video_file(folder: Path) -> Path:
    path = folder / "belt.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, SIZE)
    for number in range(12):
        writer.write(tray(np.random.default_rng(number), SIZE, 0.5, count=4)[0])
    writer.release()
    return path


def video(folder: Path) -> Camera:
    return VideoCamera("c", str(video_file(folder)), SIZE, monotonic_ns=time.monotonic_ns)


def picamera(_: Path) -> Camera:
    return PiCamera("c", SIZE, monotonic_ns=time.monotonic_ns, module=SIMULATION)


def simulated(_: Path) -> Camera:
    return SimulatedCamera("c", SIZE, monotonic_ns=time.monotonic_ns)


def next_frame(camera: Camera) -> Frame:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        frame = camera.read()
        if frame is not None:
            return frame
        time.sleep(0.02)
    raise AssertionError("no picture came")


def use_up(camera: Camera, *, opened: bool = False) -> None:
    if not opened:
        camera.open()
    while True:
        camera.read()
        time.sleep(0.02)


@pytest.mark.parametrize("make", [photos, video, picamera, simulated])
def test_a_camera_keeps_the_contract(make: Callable[[Path], Camera], tmp_path: Path) -> None:
    camera = make(tmp_path)
    camera.close()
    with pytest.raises(CameraError):
        camera.read()
    for _ in range(2):
        camera.open()
        before = time.monotonic_ns() if camera.live else 0
        frames = [next_frame(camera) for _ in range(3)]
        for frame in frames:
            assert frame.camera == "c"
            assert frame.image.shape == (SIZE[1], SIZE[0], 3)
            assert frame.image.dtype == np.uint8
            assert before <= frame.taken_ns <= time.monotonic_ns()
            assert (frame.position is not None) == isinstance(camera, PhotoCamera)
        taken = [frame.taken_ns for frame in frames]
        assert taken == sorted(taken)
        # Rolls on steel: the colours stand in the order blue, green, red.
        assert all(float(frame.image[..., 2].mean()) > float(frame.image[..., 0].mean()) for frame in frames)
        if camera.live:
            assert (frames[1].image != frames[2].image).any()
        camera.close()
        camera.close()
        with pytest.raises(CameraError):
            camera.read()


def test_exposure_and_white_balance_are_locked_once_they_have_settled() -> None:
    camera = picamera(Path())
    camera.open()
    first, last = [next_frame(camera).image.mean() for _ in range(4)][::3]
    camera.close()
    image, _ = tray(np.random.default_rng(1), SIZE, 0.5)
    assert first == pytest.approx(last, abs=0.2)
    assert first == pytest.approx(image.mean(), rel=0.05)


@pytest.mark.parametrize(
    ("fault", "said"),
    [("hangs_after_30", "hangs"), ("dies_after_30", "ended"), ("none_there", "sees no camera")],
)
def test_a_board_camera_that_hangs_or_dies_is_ended_and_opened_anew(
    fault: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAULT, fault)
    camera = PiCamera("c", SIZE, monotonic_ns=time.monotonic_ns, module=SIMULATION, silent_s=1.5)
    with pytest.raises(CameraError, match=said):
        use_up(camera)
    monkeypatch.delenv(FAULT)
    camera.open()
    assert camera.read().image.shape == (SIZE[1], SIZE[0], 3)
    camera.close()


def test_without_picamera2_it_is_said_how_to_get_it() -> None:
    camera = PiCamera("c", SIZE, monotonic_ns=time.monotonic_ns, module="no_such_picamera2")
    with pytest.raises(CameraError, match="apt install python3-picamera2"):
        camera.open()


class Mjpeg(BaseHTTPRequestHandler):
    """A network camera: pictures one after the other, until it is switched off in the middle of one."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(40):
            data = encode(tray(np.random.default_rng(number), SIZE, 0.5, count=4)[0])
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            self.wfile.write(head + (data if number < 39 else data[: len(data) // 2]) + b"\r\n")
            time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def network_camera() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mjpeg)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}/stream.mjpg"
    server.shutdown()
    server.server_close()


def test_a_network_camera_gives_the_newest_picture_and_is_missed_when_it_vanishes(network_camera: str) -> None:
    camera = VideoCamera("c", network_camera, SIZE, monotonic_ns=time.monotonic_ns)
    assert camera.live
    camera.open()
    first = next_frame(camera)
    assert first.image.shape == (SIZE[1], SIZE[0], 3)
    time.sleep(0.2)
    assert next_frame(camera).taken_ns > first.taken_ns + 100_000_000
    with pytest.raises(BadPicture, match="ends in the middle"):
        use_up(camera, opened=True)
    with pytest.raises(CameraError, match="delivers no pictures") as told:
        use_up(camera, opened=True)
    assert "secret" not in str(told.value)
    camera.close()


def test_a_video_file_ends_and_one_that_is_not_there_can_never_work(tmp_path: Path) -> None:
    camera = video(tmp_path)
    camera.open()
    frames = [camera.read() for _ in range(14)]
    assert [frame is None for frame in frames] == [False] * 12 + [True] * 2
    camera.close()
    with pytest.raises(CameraConfigError, match="neither a device"):
        VideoCamera("c", str(tmp_path / "none.avi"), SIZE, monotonic_ns=time.monotonic_ns).open()
    with pytest.raises(CameraError, match="cannot be opened"):
        VideoCamera("c", "/dev/video63", SIZE, monotonic_ns=time.monotonic_ns).open()


def test_pictures_of_every_kind_are_decoded_and_bad_ones_refused(tmp_path: Path) -> None:
    image, _ = tray(np.random.default_rng(1), SIZE, 0.5)
    rgb = Pillow.fromarray(image[..., ::-1])
    path = tmp_path / "x"
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turned by a quarter

    def saved(picture: Pillow.Image, kind: str, **more: Any) -> bytes:
        picture.save(path, format=kind, **more)
        return path.read_bytes()

    assert decode(saved(rgb, "JPEG", exif=exif), "turned").shape == (SIZE[0], SIZE[1], 3)
    cmyk = decode(saved(rgb.convert("CMYK"), "JPEG", quality=95), "cmyk")
    assert np.abs(cmyk.astype(int) - image).mean() < 12
    deep = cv2.imencode(".png", image.astype(np.uint16) * 257)[1].tobytes()
    assert np.abs(decode(deep, "16 bit").astype(int) - image).max() <= 1
    first, second = Pillow.new("RGB", SIZE, "red"), Pillow.new("RGB", SIZE, "blue")
    animated = decode(saved(first, "PNG", save_all=True, append_images=[second]), "animated")
    assert animated[0, 0].tolist() == [0, 0, 255]
    large = saved(Pillow.new("RGB", (4000, 3000), "gray"), "JPEG")
    assert decode(large, "large").size <= 3 * LARGE_PIXELS
    whole = encode(image)
    for name, data, why in (
        ("cut.jpg", whole[: len(whole) // 2], "middle"),
        ("cut and closed.jpg", whole[: len(whole) // 2] + whole[-2:], "middle"),
        ("cut.png", deep[: len(deep) // 2], "middle"),
        ("head.jpg", whole[:20], ""),
        ("text.jpg", b"Teig", "no JPEG"),
        ("empty.jpg", b"", "no JPEG"),
        ("rubbish.jpg", whole[:2] + bytes(range(256)) * 4, ""),
        ("huge.png", deep[:16] + (10_000).to_bytes(4, "big") * 2 + deep[24:], "100"),
    ):
        with pytest.raises(Unreadable, match=rf"{name}: .*{why}"):
            decode(data, name)


def test_a_background_of_middle_grey_is_no_missing_end(tmp_path: Path) -> None:
    image, _ = tray(np.random.default_rng(1), SIZE, 0.5)
    width, height = SIZE
    pictures = {name: image.copy() for name in ("top", "bottom", "left", "right", "around")}
    pictures["top"][: height // 2] = 128
    pictures["bottom"][height // 2 :] = 128
    pictures["left"][:, : width // 2] = 128
    pictures["right"][:, width // 2 :] = 128
    around = np.full((height + 64, width + 64, 3), 128, np.uint8)
    around[32:-32, 32:-32] = image
    pictures["around"] = around
    pictures["all over"] = np.full_like(image, 128)
    pictures["large"] = np.asarray(cv2.resize(around, (2000, 1600), interpolation=cv2.INTER_NEAREST), np.uint8)
    turned = Pillow.Exif()
    turned[0x0112] = 6
    for name, picture in pictures.items():
        rgb = Pillow.fromarray(picture[..., ::-1])
        ways: list[dict[str, Any]] = [{}, {"progressive": True}, {"optimize": True}, {"exif": turned}]
        for number, way in enumerate([*ways, {"restart_marker_rows": 1}]):
            path = tmp_path / f"{number}.jpg"
            rgb.save(path, format="JPEG", quality=90, **way)
            data = path.read_bytes()
            assert decode(data, name).shape[2] == 3
            # More behind the end, as telephones put it there, changes nothing, and a missing end is missed all the same.
            assert decode(data + b"\xff\xd9\x00more", name).shape[2] == 3
            if name in ("top", "left"):
                for cut in (data[: len(data) * 3 // 4], data[: len(data) * 3 // 4] + data[-2:]):
                    if way.get("progressive") and cut.endswith(b"\xff\xd9"):
                        continue  # its first scans show all of it
                    with pytest.raises(Unreadable, match="middle"):
                        decode(cut, name)


def test_a_simulated_trays_browning_follows_a_file(tmp_path: Path) -> None:
    path = tmp_path / "browning"
    now = [0]
    camera = SimulatedCamera(
        "c", SIZE, monotonic_ns=lambda: now[0], tray_s=10.0, rejects=0.0, browning=BrowningFile(path).browning
    )
    camera.open()

    def brightness() -> float:
        now[0] += 10**10
        return float(camera.read().image.mean())

    usual = brightness()
    path.write_text("0.75")
    assert brightness() < usual - 5
    path.write_text("rubbish")
    assert brightness() == pytest.approx(usual, abs=4)
    now[0] += 9 * 10**9
    assert float(camera.read().image[..., 2].std()) < 10  # no tray lies there


def test_each_oven_load_brings_its_trays_and_then_the_place_is_empty(tmp_path: Path) -> None:
    path, now = tmp_path / "browning", [0]
    file = BrowningFile(path)
    camera = SimulatedCamera(
        "c", SIZE, monotonic_ns=lambda: now[0], tray_s=2.0, browning=file.browning, loads=Loads(file.came, 2)
    )
    path.write_text("0.9")

    def seen() -> list[tuple[bool, float]]:
        """Every second of six: whether rolls lie there, and how bright they are."""
        looks = []
        for _ in range(6):
            image = camera.read().image
            looks.append((float(image[..., 2].std()) > 10, float(image.mean())))
            now[0] += 10**9
        return looks

    def load(browning: str) -> None:
        (tmp_path / "new").write_text(browning)
        (tmp_path / "new").rename(path)

    camera.open()
    assert not any(lies for lies, _ in seen()), "what came before it was opened is gone"
    load("0.4")
    first = seen()
    assert [lies for lies, _ in first] == [False, True, False, True, False, False]
    load("0.4")
    second = seen()
    assert [lies for lies, _ in second] == [False, True, False, True, False, False]
    assert len({brightness for lies, brightness in first + second if lies}) == 4, "each tray is another one"
    load("0.75")
    assert seen()[1][1] < first[1][1] - 5
