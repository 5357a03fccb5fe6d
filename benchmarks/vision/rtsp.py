"""A network camera on this computer that speaks RTSP, as most do: what a video file holds, packet by packet, again and again."""

from __future__ import annotations

import struct
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import cv2

from edge.vision.unpacker import head_of

_PAYLOAD = 1400
"""Bytes of a picture in one packet of RTP."""
_CLOCK_HZ = 90_000
_TYPE = 96
_PACKED = -1
"""OpenCV's format of pictures that it does not unpack."""
_PARAMETERS = (7, 8)
"""NAL units that say how the others are to be read: SPS and PPS (ITU-T H.264, table 7-1)."""
_FU_A = 28
_PICTURE = b"\0\0\1\xb6"
"""How a picture of MPEG-4 begins (ISO/IEC 14496-2: vop_start_code)."""
_SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 {kind}/90000
a=fmtp:96 {about}
a=control:track
"""


def packets_of(path: Path) -> list[bytes]:
    """A video file's pictures as they are packed; the first begins with all that a decoder must know."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, _PACKED])
    packets = [head_of(capture)]
    while capture.grab():
        packets.append(capture.retrieve()[1].tobytes())
    return [packets[0] + packets[1], *packets[2:]]


@contextmanager
def rtsp(packets: Sequence[bytes], fps: float, *, mpeg4: bool = False) -> Iterator[str]:
    """The address of a camera that sends these pictures.

    Args:
        packets: one a picture, in the order in which they are sent; the first begins with all that a decoder must know.
        fps: so many a second.
        mpeg4: these are of MPEG-4; else of H.264.
    """
    with _Camera(packets, fps, mpeg4=mpeg4) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"rtsp://user:secret@127.0.0.1:{server.server_address[1]}/stream"
        finally:
            server.shutdown()


class _Camera(ThreadingTCPServer):
    """One that sends this to whoever asks."""

    allow_reuse_address = daemon_threads = True
    block_on_close = False

    def __init__(self, packets: Sequence[bytes], fps: float, *, mpeg4: bool) -> None:
        self.fps = fps
        self.packets = [list(_cut(packet) if mpeg4 else _parts(packet)) for packet in packets]
        self.about = _describe(packets[0], mpeg4=mpeg4)
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(StreamRequestHandler):
    """One who looks."""

    def handle(self) -> None:
        camera = self.server
        # The one who looked has gone.
        with suppress(OSError):
            while isinstance(camera, _Camera) and (asked := self._asked()):
                method = asked[0].split()[0]
                number = next(line.split(":")[1].strip() for line in asked if line.startswith("CSeq"))
                body = camera.about if method == "DESCRIBE" else ""
                more = {
                    "OPTIONS": "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
                    "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n",
                    "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
                }.get(method, "")
                self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n{more}\r\n{body}".encode())
                if method == "PLAY":
                    self._play(camera)

    def _asked(self) -> list[str]:
        lines = []
        while line := self.rfile.readline().strip():
            lines.append(line.decode())
        return lines

    def _play(self, camera: _Camera) -> None:
        """RTP inside of the same connection (RFC 2326, 10.12; RFC 3550, 5.1), the picture's last packet marked."""
        begun, number = time.monotonic(), 0
        for shown in count():
            parts = camera.packets[shown % len(camera.packets)]
            at = round(shown * _CLOCK_HZ / camera.fps) & 0xFFFFFFFF
            for part in parts:
                last = 0x80 if part is parts[-1] else 0
                head = struct.pack(">BBHII", 0x80, last | _TYPE, number & 0xFFFF, at, 1)
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(head) + len(part)) + head + part)
                number += 1
            time.sleep(max(0.0, begun + (shown + 1) / camera.fps - time.monotonic()))


def _describe(first: bytes, *, mpeg4: bool) -> str:
    """What is sent (RFC 8866, 6184, 6416)."""
    if mpeg4:
        kind, about = "MP4V-ES", f"profile-level-id=1;config={first[: first.index(_PICTURE)].hex()}"
    else:
        known = [b64encode(unit).decode() for unit in _units(first) if unit[0] & 0x1F in _PARAMETERS]
        kind, about = "H264", f"packetization-mode=1;sprop-parameter-sets={','.join(known)}"
    return _SDP.format(kind=kind, about=about).replace("\n", "\r\n")


def _units(packet: bytes) -> Iterator[bytes]:
    """The NAL units between start codes."""
    for unit in packet.split(b"\0\0\1")[1:]:
        yield unit.rstrip(b"\0")


def _parts(packet: bytes) -> Iterator[bytes]:
    """Payloads for a picture of H.264: a unit by itself, or in fragments (RFC 6184, 5.6 and 5.8)."""
    for unit in _units(packet):
        if len(unit) <= _PAYLOAD:
            yield unit
            continue
        first, rest = unit[0], list(_cut(unit[1:]))
        for place, part in enumerate(rest):
            ends = (0x80 if place == 0 else 0) | (0x40 if place == len(rest) - 1 else 0)
            yield bytes((first & 0xE0 | _FU_A, ends | first & 0x1F)) + part


def _cut(data: bytes) -> Iterator[bytes]:
    for begin in range(0, len(data), _PAYLOAD):
        yield data[begin : begin + _PAYLOAD]
