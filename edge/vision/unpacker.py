"""Videos whose pictures build on each other (H.264, H.265, MPEG-4): packets are kept, and unpacked where a picture is wanted.

A picture can be unpacked from the last key picture on. Of a live stream the packets since then are kept, a few hundred kilobytes;
whoever wants a picture has them unpacked, gets the newest and the decoder goes: it would hold some pictures all the time. Where
that would be done so often that it costs more than the pictures in between, or so much would be kept that there is soon no room for
it, the decoder stays and unpacks only what is new.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import cv2

from edge.vision.decode import Image
from edge.vision.ffmpeg import Decoder

MOST_BYTES: Final = 8_000_000
MOST_PACKETS: Final = 400
"""What is kept at most, of what no decoder has had: at 25 pictures a second, of 16 s."""
_SHARE: Final = 0.5
"""Unpacking anew may take so much of the time between two pictures that are wanted; else the decoder stays."""
_BEGIN: Final = (b"\0\0\1", b"\0\0\0\1")
"""How a packet begins that stands by itself (ITU-T H.264, H.265: Annex B; ISO/IEC 14496-2)."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One of these.

    Args:
        name: FFmpeg's.
        parameters: how that begins without which no picture can be unpacked.
        picture: how a picture itself begins.
    """

    name: str
    parameters: re.Pattern[bytes]
    picture: re.Pattern[bytes]

    def head_in(self, packet: bytes) -> bytes:
        """What stands before the picture in a packet, where that is all that a decoder must know; else nothing."""
        found = self.picture.search(packet)
        head = packet[: found.start()] if found else b""
        return head if self.parameters.search(head) else b""


def codec_of(capture: Any) -> Codec | None:
    """What a source that was opened sends, where it is one of these and its pictures are not to be turned."""
    code = (int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little")
    if capture.get(cv2.CAP_PROP_ORIENTATION_META):
        return None
    match code:
        # NAL units: SPS; slices (ITU-T H.264, table 7-1).
        case b"h264":
            slices = re.compile(rb"\x00\x00\x01[\x01-\x05\x21-\x25\x41-\x45\x61-\x65]")
            return Codec("h264", re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67]"), slices)
        # NAL units: SPS; slice segments (ITU-T H.265, table 7-1).
        case b"hevc":
            return Codec("hevc", re.compile(rb"\x00\x00\x01\x42"), re.compile(rb"\x00\x00\x01[\x00-\x3f]"))
        # Start codes: video object layer; video object plane (ISO/IEC 14496-2, table 6-3).
        case b"FMP4":
            return Codec("mpeg4", re.compile(rb"\x00\x00\x01[\x20-\x2f]"), re.compile(rb"\x00\x00\x01\xb6"))
    return None


def head_of(capture: Any) -> bytes:
    """What a decoder must know of a source that sends packets, before the first one; empty where the packets say it themselves."""
    there, head = capture.retrieve(flag=int(capture.get(cv2.CAP_PROP_CODEC_EXTRADATA_INDEX)))
    data = head.tobytes() if there and head is not None else b""
    return data if data.startswith(_BEGIN) else b""


def pictures(capture: Any, decoder: Decoder, *, whole: bool) -> Iterator[Image]:
    """All pictures of a source that sends packets, one by one.

    Args:
        capture: OpenCV's, that unpacks nothing.
        decoder: a new one for what it sends.
        whole: see `Decoder.image`.
    """
    head = head_of(capture)
    more = True
    while more:
        more = capture.grab()
        there, packet = capture.retrieve() if more else (False, None)
        if there and packet is not None:
            decoder.send(head + packet.tobytes())
            head = b""
        elif not more:
            decoder.end()
        while decoder.receive():
            image = decoder.image(whole=whole)
            if image is not None:
                yield image


@dataclass(slots=True)
class _Kept:
    """Packets, one behind the other: each by itself, they would leave holes between what lives longer.

    Args:
        head: what a decoder must know before the first one.
        from_key: whether they begin with a key picture; else with what follows on those that a decoder has had.
        data: all of them.
        sizes: of each.
    """

    head: bytes
    from_key: bool
    data: bytearray = field(default_factory=bytearray)
    sizes: list[int] = field(default_factory=list)

    def packets(self, count: int) -> Iterator[bytes]:
        """The first ones; meanwhile others may be added."""
        begin = 0
        for size in self.sizes[:count]:
            yield bytes(self.data[begin : begin + size])
            begin += size

    def without(self, count: int) -> _Kept:
        """All but the first ones."""
        return _Kept(b"", False, self.data[sum(self.sizes[:count]) :], self.sizes[count:])


class Unpacker:
    """Packets of a live stream in; its newest picture out. They come on one thread, pictures are wanted on another.

    Args:
        make: makes a decoder for this stream.
        codec: what it sends.
        head: see `head_of`.
        whole: see `Decoder.image`.
        monotonic_ns: the clock.
        cpu_ns: processor's time of the thread that wants pictures.
    """

    def __init__(
        self,
        make: Callable[[], Decoder],
        codec: Codec,
        head: bytes,
        *,
        whole: bool,
        monotonic_ns: Callable[[], int],
        cpu_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self._make = make
        self._codec = codec
        self._head = head
        self._whole = whole
        self._monotonic_ns = monotonic_ns
        self._cpu_ns = cpu_ns
        self._lock = Lock()
        self._kept: _Kept | None = None
        """None: nobody can make anything of what comes, up to the next key picture."""
        self._stayed: Decoder | None = None
        self._told = False
        self._wanted_ns = monotonic_ns()

    def add(self, packet: bytes, *, key: bool) -> None:
        """The next packet; a key picture needs none of those before."""
        with self._lock:
            if key:
                # Where a camera was set otherwise, it says so before one key picture, and perhaps never again.
                self._head = self._codec.head_in(packet) or self._head
                self._kept = _Kept(self._head, from_key=True)
            kept = self._kept
            if kept is None:
                return
            kept.data += packet
            kept.sizes.append(len(packet))
            if len(kept.sizes) > MOST_PACKETS or len(kept.data) > MOST_BYTES:
                self._kept = None
                if not self._told:
                    self._told = True
                    logging.getLogger(__name__).warning(
                        "more than %d pictures or %d MB of %s came since a key picture and before any was wanted: there is none until "
                        "the next one; set a key picture each second or two at the camera",
                        MOST_PACKETS,
                        MOST_BYTES // 1_000_000,
                        self._codec.name,
                    )

    def newest(self) -> Image | None:
        """The picture of the newest packet, or of the last one before that can be shown; None where there is none yet."""
        now_ns, cpu_ns = self._monotonic_ns(), self._cpu_ns()
        since_ns, self._wanted_ns = now_ns - self._wanted_ns, now_ns
        with self._lock:
            kept = self._kept
            count = 0 if kept is None else len(kept.sizes)
        if kept is None or count == 0:
            return None
        decoder, self._stayed = self._stayed, None
        if decoder is None:
            decoder = self._make()
        elif kept.from_key:
            decoder.restart()
        shown, head = False, kept.head
        for packet in kept.packets(count):
            decoder.send(head + packet)
            shown, head = _received(decoder) or shown, b""
        long = count > MOST_PACKETS // 2 or sum(kept.sizes[:count]) > MOST_BYTES // 2
        if not kept.from_key or long or self._cpu_ns() - cpu_ns > _SHARE * since_ns:
            self._stayed = decoder
            with self._lock:
                # What it has had need not be kept.
                if self._kept is kept:
                    self._kept = kept.without(count)
        else:
            decoder.end()
            shown = _received(decoder) or shown
            decoder.close()
        return decoder.image(whole=self._whole) if shown else None


def _received(decoder: Decoder) -> bool:
    """Takes the last of all pictures that are done; whether there was one."""
    received = False
    while decoder.receive():
        received = True
    return received
