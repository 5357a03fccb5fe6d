"""How long a certificate is valid and whose it is, without a package for it: read from its DER (RFC 5280, 4.1.2)."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_SEQUENCE, _UTC_TIME, _VERSION = 0x30, 0x17, 0xA0
_COMMON_NAME = bytes.fromhex("550403")
"""Object identifier 2.5.4.3 (X.520)."""


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
        return dates(_der(path))
    except (OSError, ValueError, IndexError) as exc:
        raise NoCertificate(f"{path}: {exc}") from exc


def common_name(path: Path) -> str:
    """The subject's name in the first certificate of a PEM file; empty where it has none.

    Raises:
        NoCertificate: see there; with the reason.
    """
    try:
        _, rest = _validity_of(_der(path))
        _, subject, _ = _element(rest)
        while subject:
            _, attributes, subject = _element(subject)
            while attributes:
                _, attribute, attributes = _element(attributes)
                _, kind, value = _element(attribute)
                if kind == _COMMON_NAME:
                    return _element(value)[1].decode()
    except (OSError, ValueError, IndexError) as exc:
        raise NoCertificate(f"{path}: {exc}") from exc
    return ""


def dates(der: bytes) -> Validity:
    """Of a certificate in DER.

    Raises:
        ValueError, IndexError: it is none.
    """
    times, _ = _validity_of(der)
    kind_start, start, times = _element(times)
    kind_end, end, _ = _element(times)
    return Validity(_time(kind_start, start), _time(kind_end, end))


def _der(path: Path) -> bytes:
    text = path.read_text(encoding="ascii", errors="replace")
    begin = text.index("-----BEGIN CERTIFICATE-----")
    end = text.index("-----END CERTIFICATE-----", begin) + len("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(text[begin:end])


def _validity_of(der: bytes) -> tuple[bytes, bytes]:
    """Certificate > TBSCertificate > [version], serial, algorithm, issuer, Validity; and what follows, the subject first."""
    _, certificate, _ = _element(der)
    _, body, _ = _element(certificate)
    kind, _, rest = _element(body)
    for _ in range(3 if kind == _VERSION else 2):
        _, _, rest = _element(rest)
    kind, times, rest = _element(rest)
    if kind != _SEQUENCE:
        raise ValueError("no validity where it must be")
    return times, rest


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
