"""How long a certificate is valid, without a package for it: two dates of its DER (RFC 5280, 4.1.2.5)."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_SEQUENCE, _UTC_TIME, _VERSION = 0x30, 0x17, 0xA0


class Validity(NamedTuple):
    """From and until when."""

    start: datetime
    end: datetime


class NoCertificate(Exception):
    """The file holds none that can be read."""


def validity(path: Path) -> Validity:
    """Of the first certificate in a PEM file.

    Raises:
        NoCertificate: see there; with the reason.
    """
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----", begin) + len("-----END CERTIFICATE-----")
        return dates(ssl.PEM_cert_to_DER_cert(text[begin:end]))
    except (OSError, ValueError, IndexError) as exc:
        raise NoCertificate(f"{path}: {exc}") from exc


def dates(der: bytes) -> Validity:
    """Of a certificate in DER: Certificate > TBSCertificate > [version], serial, algorithm, issuer, Validity.

    Raises:
        ValueError, IndexError: it is none.
    """
    _, certificate, _ = _element(der)
    _, body, _ = _element(certificate)
    kind, _, rest = _element(body)
    for _ in range(3 if kind == _VERSION else 2):
        _, _, rest = _element(rest)
    kind, times, _ = _element(rest)
    if kind != _SEQUENCE:
        raise ValueError("no validity where it must be")
    kind_start, start, times = _element(times)
    kind_end, end, _ = _element(times)
    return Validity(_time(kind_start, start), _time(kind_end, end))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content, and what follows (X.690, 8.1)."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if start + length > len(data):
        raise ValueError("the data ends too early")
    return tag, data[start : start + length], data[start + length :]


def _time(kind: int, content: bytes) -> datetime:
    """UTCTime has years of two digits, 50 to 99 of the last century (RFC 5280, 4.1.2.5.1)."""
    text = content.decode("ascii")
    if kind == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
