"""FFmpeg's decoders, those that OpenCV has loaded, by their C interface.

OpenCV hands out a video's pictures at their full size only: it keeps one as blue, green and red and gives a copy of it, twice what
the picture is. Here a picture comes at the size that is wanted, and a decoder is there only for as long as it is needed.

Only FFmpeg 8 is used, whose structures these are (libavutil/frame.h, libavcodec/packet.h); with another one, OpenCV unpacks.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_uint, c_void_p
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from edge.vision.decode import LARGE_PIXELS, MAX_PIXELS, Image

MAJORS: Final = {"avutil": 60, "avcodec": 62, "swscale": 9}
"""Major versions of FFmpeg 8's libraries: within them structures and functions stay what they are."""
_MAPS: Final = Path("/proc/self/maps")
_LIBRARY: Final = re.compile(r"(/\S*/lib(avutil|avcodec|swscale)[-.]\S+)$", re.MULTILINE)
_BICUBIC, _AREA = 0x4, 0x20
_ACCURATE: Final = 0x2000 | 0x40000
"""libswscale/swscale.h: how a picture is converted and reduced; with each pixel's own colour, and rounded. OpenCV leaves that
out, and is one grey value darker for it."""
_FUNCTIONS: Final[dict[str, dict[str, tuple[Any, tuple[Any, ...]]]]] = {
    "avutil": {
        "av_frame_alloc": (c_void_p, ()),
        "av_frame_free": (None, (POINTER(c_void_p),)),
        "av_get_pix_fmt": (c_int, (c_char_p,)),
        "av_opt_set_int": (c_int, (c_void_p, c_char_p, c_int64, c_int)),
    },
    "avcodec": {
        "avcodec_find_decoder_by_name": (c_void_p, (c_char_p,)),
        "avcodec_alloc_context3": (c_void_p, (c_void_p,)),
        "avcodec_open2": (c_int, (c_void_p, c_void_p, c_void_p)),
        "avcodec_free_context": (None, (POINTER(c_void_p),)),
        "avcodec_flush_buffers": (None, (c_void_p,)),
        "avcodec_send_packet": (c_int, (c_void_p, c_void_p)),
        "avcodec_receive_frame": (c_int, (c_void_p, c_void_p)),
        "av_packet_alloc": (c_void_p, ()),
        "av_packet_free": (None, (POINTER(c_void_p),)),
        "av_packet_unref": (None, (c_void_p,)),
        "av_new_packet": (c_int, (c_void_p, c_int)),
    },
    "swscale": {
        "sws_alloc_context": (c_void_p, ()),
        "sws_freeContext": (None, (c_void_p,)),
        "sws_scale_frame": (c_int, (c_void_p, c_void_p, c_void_p)),
    },
}


class Unavailable(Exception):
    """There is no such decoder here; OpenCV must do it."""


def _library() -> SimpleNamespace:
    """The functions that are used, of the libraries that this process's OpenCV has loaded.

    Raises:
        Unavailable: there are none, more than one, or of another version.
    """
    import cv2  # noqa: F401, PLC0415  # brings them along

    library = SimpleNamespace()
    try:
        found = {(name, path) for path, name in _LIBRARY.findall(_MAPS.read_text(encoding="utf-8"))}
        paths = dict(found)
        if len(found) != len(MAJORS) or paths.keys() != MAJORS.keys():
            raise Unavailable(f"of FFmpeg there is {', '.join(sorted(path for _, path in found)) or 'nothing'}")
        for name, major in MAJORS.items():
            loaded = ctypes.CDLL(paths[name])
            version = getattr(loaded, f"{name}_version")
            version.restype = c_uint
            if version() >> 16 != major:
                raise Unavailable(f"{paths[name]} is of version {version() >> 16}, not {major}")
            for function, (result, arguments) in _FUNCTIONS[name].items():
                called = getattr(loaded, function)
                called.restype, called.argtypes = result, arguments
                setattr(library, function, called)
    except (OSError, AttributeError) as exc:
        raise Unavailable(str(exc)) from exc
    return library


class _Frame(ctypes.Structure):
    """How an AVFrame begins."""

    _fields_ = (
        ("data", c_void_p * 8),
        ("linesize", c_int * 8),
        ("extended_data", c_void_p),
        ("width", c_int),
        ("height", c_int),
        ("nb_samples", c_int),
        ("format", c_int),
    )


class _Packet(ctypes.Structure):
    """How an AVPacket begins."""

    _fields_ = (("buf", c_void_p), ("pts", c_int64), ("dts", c_int64), ("data", c_void_p), ("size", c_int))


class _Held:
    """What FFmpeg has allocated, freed with the last who refers to it."""

    def __init__(self, pointer: int | None, free: Callable[[Any], None]) -> None:
        self.pointer = c_void_p(pointer)
        self._free = free
        if not pointer:
            raise MemoryError("FFmpeg has got no memory")

    def __del__(self) -> None:
        self._free(byref(self.pointer))


class _Picture(_Held):
    """An AVFrame."""

    def __init__(self, library: SimpleNamespace) -> None:
        super().__init__(library.av_frame_alloc(), library.av_frame_free)
        self.frame = _Frame.from_address(self.pointer.value or 0)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """Its first plane as (height, width, 3) uint8, for numpy, which holds it for as long as it looks at it."""
        frame = self.frame
        return {
            "version": 3,
            "typestr": "|u1",
            "shape": (frame.height, frame.width, 3),
            "strides": (frame.linesize[0], 3, 1),
            "data": (frame.data[0], False),
        }


class Decoder:
    """One decoder: packets in, pictures out, on the caller's thread.

    Args:
        library: FFmpeg's functions.
        codec: FFmpeg's name of it.

    Raises:
        Unavailable: there is none here.
    """

    def __init__(self, library: SimpleNamespace, codec: str) -> None:
        self._library = library
        found = library.avcodec_find_decoder_by_name(codec.encode())
        if not found:
            raise Unavailable(f"FFmpeg has no decoder {codec} here")
        self._packet = _Held(library.av_packet_alloc(), library.av_packet_free)
        self._newest: _Picture | None = None
        self._next = _Picture(library)
        self._context: _Held | None = _Held(library.avcodec_alloc_context3(found), library.avcodec_free_context)
        context = self._context.pointer
        # Each thread would hold pictures of its own.
        library.av_opt_set_int(context, b"threads", 1, 0)
        library.av_opt_set_int(context, b"max_pixels", MAX_PIXELS, 0)
        if library.avcodec_open2(context, None, None) < 0:
            raise Unavailable(f"FFmpeg's decoder {codec} cannot be opened")

    def send(self, packet: bytes) -> None:
        """The next packet; damage in it is passed over. What it brings is to be received before the next one is sent.

        Lets go of the picture that was received last.
        """
        library, context, held = self._library, self._open, self._packet.pointer
        self._newest = None
        if library.av_new_packet(held, len(packet)) < 0:
            raise MemoryError("FFmpeg has got no memory for a packet")
        ctypes.memmove(_Packet.from_address(held.value or 0).data, packet, len(packet))
        library.avcodec_send_packet(context, held)
        library.av_packet_unref(held)

    def end(self) -> None:
        """No packet follows: what it has held back, to bring pictures into their order, can be received."""
        self._library.avcodec_send_packet(self._open, None)

    def receive(self) -> bool:
        """Takes the next picture, in the order in which they are shown; False where there is none yet."""
        if self._library.avcodec_receive_frame(self._open, self._next.pointer) < 0:
            return False
        self._newest, self._next = self._next, _Picture(self._library)
        return True

    def restart(self) -> None:
        """Forgets all that was sent; a key picture follows."""
        self._library.avcodec_flush_buffers(self._open)
        self._newest = None

    def close(self) -> None:
        """Lets go of all but the picture that was received last."""
        self._context = None

    def image(self, *, whole: bool) -> Image | None:
        """The picture that was received last, once; None where there is none, or it cannot be converted.

        Args:
            whole: at its full size; else a large one is reduced as often as `decode` would have done it.
        """
        source, self._newest = self._newest, None
        if source is None:
            return None
        given, made = source.frame, _Picture(self._library)
        pixels = given.width * given.height
        step = 1 if whole else next((step for step in (1, 2, 4) if pixels <= LARGE_PIXELS * step * step), 8)
        made.frame.width, made.frame.height = given.width // step, given.height // step
        made.frame.format = self._library.av_get_pix_fmt(b"bgr24")
        context = self._library.sws_alloc_context()
        try:
            self._library.av_opt_set_int(context, b"sws_flags", _ACCURATE | (_BICUBIC if step == 1 else _AREA), 0)
            done = self._library.sws_scale_frame(context, made.pointer, source.pointer)
        finally:
            self._library.sws_freeContext(context)
        return np.asarray(made) if done >= 0 else None

    @property
    def _open(self) -> c_void_p:
        if self._context is None:
            raise ValueError("the decoder is closed")
        return self._context.pointer


def decoders(codec: str) -> Callable[[], Decoder]:
    """What makes decoders of one kind.

    Args:
        codec: FFmpeg's name of it, such as h264, hevc, mpeg4.

    Raises:
        Unavailable: there are none here.
    """
    make = partial(Decoder, _library(), codec)
    make()
    return make
