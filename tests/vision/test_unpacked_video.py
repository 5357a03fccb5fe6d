"""H.264 and MPEG-4: the newest picture comes out, in its colours, and no decoder is there while none is needed.

`trays.h264` shows the twelve trays of `drawn`, in two groups with pictures between pictures (made once with x264: `-bf 2 -g 6`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.vision.rtsp import packets_of, rtsp
from edge.vision import ffmpeg, unpacker, video
from edge.vision.camera import CameraError, Frame
from edge.vision.decode import Image
from edge.vision.ffmpeg import Decoder, Unavailable, decoders
from edge.vision.scene import tray
from edge.vision.unpacker import Codec, Unpacker, codec_of
from edge.vision.video import VideoCamera

SIZE = (320, 240)
TRAYS = Path(__file__).with_name("trays.h264")
GROUP = 6
SECOND = 1_000_000_000


def codec() -> Codec:
    found = codec_of(cv2.VideoCapture(str(TRAYS)))
    assert found is not None
    return found


@cache
def drawn(number: int, size: tuple[int, int] = SIZE) -> Image:
    return tray(np.random.default_rng(number), size, 0.5, count=4)[0]


def shown(image: Image | None) -> int:
    """Which of the twelve trays it is."""
    assert image is not None
    apart = [float(np.abs(image.astype(int) - drawn(number)).mean()) for number in range(12)]
    assert min(apart) < 3
    return int(np.argmin(apart))


def mpeg4(path: Path, *, size: tuple[int, int] = SIZE, many: int = 12) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 25, size)
    for number in range(many):
        writer.write(drawn(number, size))
    writer.release()
    return path


def opened(source: str, *, whole: bool = True) -> VideoCamera:
    camera = VideoCamera("c", source, SIZE, monotonic_ns=time.monotonic_ns, whole=whole)
    camera.open()
    return camera


def looks(camera: VideoCamera, seconds: float = 15.0) -> Iterator[Frame]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        frame = camera.read()
        if frame is not None:
            yield frame
        time.sleep(0.02)
    raise AssertionError("no picture came")


class Stream:
    """The twelve trays as they come, with the clocks in the test's hand; counts the decoders that are made."""

    def __init__(self, *, cost_s: float = 0.0) -> None:
        self.made = 0
        self._make = decoders("h264")
        self._now_ns = self._cpu_ns = 0
        self._cost_ns = round(cost_s * SECOND)
        self._packets = enumerate(packets_of(TRAYS))
        self._unpacker = Unpacker(
            self._decoder, codec(), b"", whole=True, monotonic_ns=lambda: self._now_ns, cpu_ns=self._worked
        )

    def passes(self, many: int) -> None:
        """So many packets come, one a second."""
        for _ in range(many):
            number, packet = next(self._packets)
            self._now_ns += SECOND
            self._unpacker.add(packet, key=number % GROUP == 0)

    def newest(self) -> Image | None:
        return self._unpacker.newest()

    def _decoder(self) -> Decoder:
        self.made += 1
        return self._make()

    def _worked(self) -> int:
        self._cpu_ns += self._cost_ns
        return self._cpu_ns


@pytest.mark.parametrize("kind", ["h264", "mpeg4"])
def test_a_file_gives_every_picture_in_its_order(kind: str, tmp_path: Path) -> None:
    camera = opened(str(TRAYS if kind == "h264" else mpeg4(tmp_path / "belt.mp4")))
    assert [shown(frame.image) for frame in iter(camera.read, None)] == list(range(12))
    camera.close()


@pytest.mark.parametrize(("size", "whole", "given"), [
    ((1600, 1200), True, (1200, 1600)), ((1600, 1200), False, (600, 800)), ((322, 242), False, (242, 322)),
])  # fmt: skip
def test_a_large_picture_is_reduced_while_it_is_converted(
    size: tuple[int, int], given: tuple[int, int], tmp_path: Path, *, whole: bool
) -> None:
    camera = opened(str(mpeg4(tmp_path / "belt.mp4", size=size, many=2)), whole=whole)
    frame = camera.read()
    assert frame is not None
    assert frame.image.shape == (*given, 3)
    small = cv2.resize(drawn(0, size), given[::-1], interpolation=cv2.INTER_AREA).astype(int)
    apart = (frame.image - small).reshape(-1, 3)
    assert np.abs(apart).mean() < 3
    assert np.abs(apart.mean(axis=0)).max() < 2.5
    camera.close()


def test_the_newest_picture_comes_out_and_the_decoder_goes() -> None:
    stream = Stream()
    for many, number in ((1, 0), (5, 5), (1, 6), (5, 11)):
        stream.passes(many)
        assert shown(stream.newest()) == number
    assert stream.made == 4, "each time a new one"


def test_the_decoder_stays_where_unpacking_anew_costs_more_than_what_comes_in_between() -> None:
    stream = Stream(cost_s=0.9)
    seen = []
    for _ in range(2 * GROUP):
        stream.passes(1)
        image = stream.newest()
        seen.append(None if image is None else shown(image))
    assert stream.made == 1
    some = [number for number in seen if number is not None]
    # What is shown between two others comes when the later one is there.
    assert some == sorted(set(some))
    assert some[0] == 0
    assert some[-1] >= GROUP


@pytest.mark.parametrize("bound", ["MOST_PACKETS", "MOST_BYTES"])
def test_of_more_pictures_than_are_kept_none_is_missing_where_they_are_wanted_meanwhile(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = packets_of(TRAYS)
    room = 5 if bound == "MOST_PACKETS" else sum(map(len, packets[:GROUP])) - 1
    monkeypatch.setattr(unpacker, bound, room)
    stream = Stream()
    seen = []
    for _ in range(4):
        stream.passes(3)
        seen.append(shown(stream.newest()))
    assert seen == sorted(set(seen))
    assert seen[-1] >= 9


def test_nothing_is_shown_that_builds_on_what_was_not_kept_and_it_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream()
    monkeypatch.setattr(unpacker, "MOST_PACKETS", 4)
    assert stream.newest() is None
    stream.passes(2)
    assert stream.newest() is not None
    stream.passes(3)
    assert stream.newest() is None, "too much since the key picture"
    stream.passes(2)
    assert shown(stream.newest()) == GROUP
    stream.passes(5)
    assert [record.getMessage()[:20] for record in caplog.records] == ["more than 4 pictures"]
    without_key = Unpacker(decoders("h264"), codec(), b"", whole=True, monotonic_ns=time.monotonic_ns)
    without_key.add(packets_of(TRAYS)[1], key=False)
    assert without_key.newest() is None


def test_rubbish_shows_nothing_and_the_next_key_picture_does() -> None:
    packets, rubbish = packets_of(TRAYS), np.random.default_rng(1).bytes(3000)
    seldom = count(step=SECOND)
    stream = Unpacker(decoders("h264"), codec(), b"", whole=True, monotonic_ns=lambda: next(seldom))
    for _ in range(3):
        stream.add(rubbish, key=True)
        stream.add(b"", key=False)
        assert stream.newest() is None
        stream.add(packets[0], key=True)
        stream.add(rubbish, key=False)
        assert shown(stream.newest()) == 0


def test_a_closed_decoder_still_has_its_picture_and_takes_no_packet() -> None:
    decoder = decoders("h264")()
    decoder.send(packets_of(TRAYS)[0])
    decoder.end()
    assert decoder.receive()
    decoder.close()
    with pytest.raises(ValueError, match="closed"):
        decoder.send(b"more")
    image = decoder.image(whole=True)
    del decoder
    assert shown(image) == 0


@pytest.mark.parametrize("kind", ["h264", "mpeg4"])
def test_a_network_camera_shows_what_it_sees_now(kind: str, tmp_path: Path) -> None:
    source = TRAYS if kind == "h264" else mpeg4(tmp_path / "belt.mp4")
    with rtsp(packets_of(source), 10, mpeg4=kind == "mpeg4") as address:
        camera = opened(address)
        frames = looks(camera)
        first = next(frames)
        time.sleep(0.5)
        second = next(frames)
        assert second.taken_ns >= first.taken_ns + 300_000_000
        assert second.taken_ns > time.monotonic_ns() - 1_000_000_000
        assert shown(first.image) != shown(second.image)
        camera.close()


def test_a_network_camera_that_changes_its_size_is_told(tmp_path: Path) -> None:
    other = packets_of(mpeg4(tmp_path / "other.mp4", size=(400, 304)))
    with rtsp([*packets_of(mpeg4(tmp_path / "belt.mp4")), *other], 10, mpeg4=True) as address:
        camera = opened(address)
        with pytest.raises(CameraError, match="another size than before: 400 × 304") as told:
            list(looks(camera))
        assert "secret" not in str(told.value)
        camera.close()


def test_without_the_ffmpeg_that_is_known_opencv_unpacks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ffmpeg, "MAJORS", {**ffmpeg.MAJORS, "avcodec": 1})
    with pytest.raises(Unavailable, match="is of version"):
        decoders("h264")
    camera = opened(str(TRAYS))
    assert [shown(frame.image) for frame in iter(camera.read, None)] == list(range(12))
    camera.close()
    with rtsp(packets_of(TRAYS), 10) as address:
        camera = opened(address)
        shown(next(looks(camera)).image)
        camera.close()
    assert caplog.messages == [video.BY_OPENCV % ("h264", told) for told in (str(_why()),) * 2]


def _why() -> Unavailable:
    with pytest.raises(Unavailable) as told:
        decoders("h264")
    return told.value


def test_what_there_is_no_decoder_for_is_said() -> None:
    with pytest.raises(Unavailable, match="no decoder h999"):
        decoders("h999")
