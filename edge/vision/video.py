"""USB cameras, network cameras (RTSP) and video files, through OpenCV.

A live source buffers: whoever reads it once a second would see what was seconds ago. So a thread of its own takes every picture, and
`read` unpacks the newest. A file's pictures are given one by one, none left out.

OpenCV would have FFmpeg unpack every picture, wanted or not, and keep some of them. So it only takes packets as they come, where it
can. Motion JPEG, which is one JPEG after the other, is unpacked like a photo, by `decode`: FFmpeg fills one that is cut short with
what the last one showed, and OpenCV's conversion reads past a picture's end when its colours are sampled otherwise than the first
one's. H.264, H.265 and MPEG-4 are unpacked by `unpacker`. All others, and those of a USB camera, by OpenCV.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import cv2
import numpy as np

from edge.vision.camera import BadPicture, CameraConfigError, CameraError, Frame
from edge.vision.decode import Image, Unreadable, decode
from edge.vision.ffmpeg import Decoder, Unavailable, decoders
from edge.vision.unpacker import Codec, Unpacker, codec_of, head_of, pictures

OPEN_MS = 10_000
READ_MS = 5_000
"""A network camera that has delivered nothing for so long has vanished."""
SILENT_S = 10.0
"""The same for any other one."""
_PATIENCE_S, _BREATH_S, _FAILED_S = 1.0, 0.002, 0.05
FAILURES = 5
"""So many pictures in a row that could not be had: it has vanished."""
BY_OPENCV = "OpenCV unpacks %s, which takes more memory: %s"
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SECRET = re.compile(r"//[^/@]*@")
_MOTION_JPEG = (b"mjpg", b"mjpe", b"jpeg")
"""What Motion JPEG is called: by files, and by FFmpeg where the source does not say it."""
_PACKED = -1
"""OpenCV's format of pictures that it does not unpack."""


class VideoCamera:
    """One source; see the module.

    Args:
        name: of the camera.
        source: a number or /dev/video… (USB), an address (rtsp://…), or a file.
        size: width and height that a USB camera is asked for; it gives what it can.
        monotonic_ns: the clock.
        whole: pictures at their full size, as something will be cut out of them; else large ones may come reduced, as `decode`
            does it.
        backend: one of OpenCV's, 0 for any that takes the source.
    """

    def __init__(
        self,
        name: str,
        source: str,
        size: tuple[int, int],
        *,
        monotonic_ns: Callable[[], int],
        whole: bool = True,
        backend: int = 0,
    ) -> None:
        self._name = name
        self._source = source
        self._size = size
        self._monotonic_ns = monotonic_ns
        self._whole = whole
        self._backend = backend
        self._device = source.isdecimal() or source.startswith("/dev/")
        self._address = _URL.match(source) is not None
        self._capture: Any = None
        self._grabber: _Grabber | None = None
        self._jpegs = False
        self._film: Iterator[Image] | None = None
        self._shape: tuple[int, ...] | None = None
        self._given_ns = 0

    @property
    def live(self) -> bool:
        """A file may show the same picture for ever."""
        return self._device or self._address

    def open(self) -> None:
        """Opens the source.

        Raises:
            CameraError: it is not there, or delivers nothing.
            CameraConfigError: a file that does not exist.
        """
        self.close()
        if not self.live and not Path(self._source).is_file():
            raise CameraConfigError(f"{self._source} is neither a device, nor an address, nor a file")
        source = int(self._source) if self._source.isdecimal() else self._source
        # Each of a decoder's threads holds pictures of its own.
        options = [] if self._device else [cv2.CAP_PROP_N_THREADS, 1]
        if self._address:
            options += [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MS]
        try:
            backend = self._backend or (cv2.CAP_V4L2 if self._device else cv2.CAP_FFMPEG)
            capture = cv2.VideoCapture(source, backend, options)
        except cv2.error as exc:
            raise CameraError(f"{self._shown}: {exc.err or exc}") from exc
        if not capture.isOpened():
            capture.release()
            raise CameraError(f"{self._shown} cannot be opened")
        if self._device:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._jpegs = not self._device and _motion_jpeg(capture) and bool(capture.set(cv2.CAP_PROP_FORMAT, _PACKED))
        codec = None if self._device or self._jpegs else codec_of(capture)
        make = None if codec is None else _decoders(capture, codec)
        self._capture, self._shape = capture, None
        self._given_ns = self._monotonic_ns()
        whole, clock = self._whole, self._monotonic_ns
        if self.live:
            kept = None
            if codec is not None and make is not None:
                kept = Unpacker(make, codec, head_of(capture), whole=whole, monotonic_ns=clock)
            self._grabber = _Grabber(capture, clock, kept)
        elif make is not None:
            self._film = pictures(capture, make(), whole=whole)

    def read(self) -> Frame | None:
        """The newest picture that was not given yet, or a file's next one; None where there is none.

        Raises:
            CameraError: not open, it delivers nothing any more, or pictures of another size than before.
            BadPicture: damaged, or too large.
        """
        if self._capture is None:
            raise CameraError(f"{self._name} is not open")
        if self._grabber is None:
            image = self._capture.read()[1] if self._film is None else next(self._film, None)
            return self._frame(image, self._monotonic_ns()) if image is not None else None
        newest = self._grabber.newest()
        if newest is not None:
            image, self._given_ns = newest
            return self._frame(image, self._given_ns)
        if self._grabber.ended or self._monotonic_ns() - self._given_ns > SILENT_S * 1e9:
            raise CameraError(f"{self._shown} delivers no pictures")
        return None

    def close(self) -> None:
        """Lets the source go."""
        capture, grabber = self._capture, self._grabber
        self._capture = self._grabber = self._film = None
        if grabber is not None:
            # A read that hangs in a driver cannot be ended; its thread lets the source go once it returns.
            grabber.stop()
        elif capture is not None:
            capture.release()

    @property
    def _shown(self) -> str:
        """The source without a password."""
        return _SECRET.sub("//…@", self._source)

    def _frame(self, image: Image, taken_ns: int) -> Frame:
        if self._jpegs:
            try:
                image = decode(image.tobytes(), self._name, whole=self._whole)
            except Unreadable as exc:
                raise BadPicture(str(exc)) from exc
        elif image.ndim == 2:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
        if self._shape not in (None, image.shape):
            # Somebody has set the camera otherwise. What was learned of its pictures holds no more.
            raise CameraError(
                f"{self._shown} delivers pictures of another size than before: {image.shape[1]} × {image.shape[0]}"
            )
        self._shape = image.shape
        return Frame(np.asarray(image, np.uint8), taken_ns, self._name)


def _motion_jpeg(capture: Any) -> bool:
    """Whether a source that was opened delivers JPEGs, none of them to be turned."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return code.to_bytes(4, "little").lower() in _MOTION_JPEG and not capture.get(cv2.CAP_PROP_ORIENTATION_META)


def _decoders(capture: Any, codec: Codec) -> Callable[[], Decoder] | None:
    """What makes decoders for a source that was opened, which then only delivers packets; None where OpenCV is to unpack them."""
    try:
        make = decoders(codec.name)
    except Unavailable as exc:
        logging.getLogger(__name__).warning(BY_OPENCV, codec.name, exc)
        return None
    return make if capture.set(cv2.CAP_PROP_FORMAT, _PACKED) else None


class _Grabber:
    """Takes every picture of a live source on a thread of its own; only one that is asked for is unpacked."""

    def __init__(self, capture: Any, monotonic_ns: Callable[[], int], unpacker: Unpacker | None = None) -> None:
        self.ended = False
        """The source delivers nothing any more."""
        self._capture = capture
        self._monotonic_ns = monotonic_ns
        self._unpacker = unpacker
        self._newest_ns: int | None = None
        self._lock = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="video", daemon=True)
        self._thread.start()

    def newest(self) -> tuple[Image, int] | None:
        """The newest picture and when it came, once; None where none has come since, or the source hangs."""
        if not self._lock.acquire(timeout=_PATIENCE_S):
            return None
        try:
            taken_ns, self._newest_ns = self._newest_ns, None
            if taken_ns is None:
                return None
            image = self._capture.retrieve()[1] if self._unpacker is None else None
        finally:
            self._lock.release()
        if self._unpacker is not None:
            image = self._unpacker.newest()
        return (image, taken_ns) if image is not None else None

    def stop(self) -> None:
        """Asks the thread to let the source go; waits a moment for it."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stop.is_set() and failures < FAILURES:
                with self._lock:
                    there = self._capture.grab()
                    if there:
                        self._keep()
                        self._newest_ns = self._monotonic_ns()
                failures = 0 if there else failures + 1
                # Whoever waits for the lock gets it now.
                self._stop.wait(_BREATH_S if there else _FAILED_S)
        finally:
            self.ended = True
            with self._lock:
                self._capture.release()

    def _keep(self) -> None:
        """The packet that was taken, where they are kept."""
        if self._unpacker is None:
            return
        there, packet = self._capture.retrieve()
        if there and packet is not None:
            key = bool(self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))
            self._unpacker.add(packet.tobytes(), key=key)
