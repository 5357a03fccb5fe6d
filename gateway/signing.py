"""Signatures of outgoing events, in the format of Standard Webhooks (https://www.standardwebhooks.com, specification 1.0).

    webhook-id:        the event's id, the same in every attempt
    webhook-timestamp: seconds since the epoch of this attempt
    webhook-signature: "v1," + base64(HMAC-SHA256(key, id + "." + timestamp + "." + body)); several, separated by spaces

The key is the content of a file: either `whsec_` and base64, or any line of at least 32 bytes taken as it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
MIN_KEY_BYTES = 32
TOLERANCE_S = 300
"""How far a receiver lets the sender's clock be off, and how long an intercepted request can be replayed."""
_PREFIX = "whsec_"
_OTHERS = stat.S_IRWXO


class SecretError(Exception):
    """A secret file that must not be used; the text says which and why."""


class SignatureError(Exception):
    """A request that was not signed by the holder of the key, or too long ago."""


def read_secret(path: Path) -> bytes:
    """The key in a secret file.

    Raises:
        SecretError: missing, readable by users other than owner and group, not decodable, or shorter than 32 bytes.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise SecretError(f"{path}: not a file")
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as exc:
        raise SecretError(f"{path}: not text; raw bytes are written as whsec_ and their base64") from exc
    except OSError as exc:
        raise SecretError(f"{path}: cannot be read: {exc}") from exc
    if mode & _OTHERS:
        raise SecretError(f"{path}: open to every user (mode {stat.S_IMODE(mode):04o}); chmod 0640 or 0600")
    try:
        key = parse_secret(text)
    except SecretError as exc:
        raise SecretError(f"{path}: {exc}") from exc
    return key


def parse_secret(text: str) -> bytes:
    """The key that a secret's text stands for.

    Raises:
        SecretError: `whsec_` without valid base64, or shorter than 32 bytes.
    """
    if text.startswith(_PREFIX):
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error as exc:
            raise SecretError("not base64 after whsec_") from exc
    else:
        key = text.encode()
    if len(key) < MIN_KEY_BYTES:
        raise SecretError(f"a key of {len(key)} bytes; at least {MIN_KEY_BYTES}")
    return key


def headers(key: bytes, *, event_id: str, body: bytes, now_s: int) -> dict[str, str]:
    """The three headers of one attempt."""
    return {ID: event_id, TIMESTAMP: str(now_s), SIGNATURE: f"v1,{_sign(key, event_id, str(now_s), body)}"}


def verify(
    keys: Sequence[bytes], received: Mapping[str, str], body: bytes, *, now_s: float, tolerance_s: float = TOLERANCE_S
) -> str:
    """The id of a genuine request. Several keys are accepted while one is replaced by another.

    Args:
        keys: any of them may have signed.
        received: headers, names in lower case.
        body: as received, before any parsing.
        now_s: the receiver's time, seconds since the epoch.
        tolerance_s: largest difference to the request's timestamp, either way.

    Raises:
        SignatureError: a header is missing or malformed, the timestamp is too old or new, or no signature fits.
    """
    event_id, stamp, signatures = (received.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not event_id or not stamp or not signatures:
        raise SignatureError(f"{ID}, {TIMESTAMP} and {SIGNATURE} are required")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise SignatureError(f"{TIMESTAMP} is not a whole number of seconds")
    if abs(now_s - int(stamp)) > tolerance_s:
        raise SignatureError(f"{TIMESTAMP} is more than {tolerance_s:g} s off")
    given = [part.removeprefix("v1,") for part in signatures.split(" ") if part.startswith("v1,")]
    for key in keys:
        expected = _sign(key, event_id, stamp, body).encode()
        if any(hmac.compare_digest(expected, signature.encode()) for signature in given):
            return event_id
    raise SignatureError("no signature fits")


def _sign(key: bytes, event_id: str, stamp: str, body: bytes) -> str:
    content = b".".join((event_id.encode(), stamp.encode(), body))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
