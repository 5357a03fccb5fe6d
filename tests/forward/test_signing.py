"""Signatures: the public standard's own example, tampering, replay, and keys that must not be used."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.alerts import KEY

from gateway.signing import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    SecretError,
    SignatureError,
    headers,
    parse_secret,
    read_secret,
    verify,
)

NOW = 1_780_000_000
BODY = b'{"specversion":"1.0"}'


def test_the_example_of_the_public_standard() -> None:
    # From the specification of Standard Webhooks and its reference libraries' test suites.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = headers(key, event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", body=b'{"test": 2432232314}', now_s=1614265330)
    assert signed[SIGNATURE] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(event_id=st.from_regex(r"[a-z0-9.]{1,60}", fullmatch=True), body=st.binary(max_size=300))
def test_what_was_signed_verifies(event_id: str, body: bytes) -> None:
    signed = headers(KEY, event_id=event_id, body=body, now_s=NOW)
    assert verify([b"y" * 32, KEY], signed, body, now_s=NOW + 299) == event_id


@given(place=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(place: int, bit: int) -> None:
    signed = headers(KEY, event_id="e1", body=BODY, now_s=NOW)
    changed = bytearray(BODY)
    changed[place] ^= 1 << bit
    with pytest.raises(SignatureError, match="no signature fits"):
        verify([KEY], signed, bytes(changed), now_s=NOW)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({ID: "e2"}, "fits"),
        ({TIMESTAMP: str(NOW + 1)}, "fits"),
        ({TIMESTAMP: str(NOW - 301)}, "off"),
        ({TIMESTAMP: str(NOW + 301)}, "off"),
        ({TIMESTAMP: "1e9"}, "whole number"),
        ({TIMESTAMP: "-1"}, "whole number"),
        ({TIMESTAMP: "9" * 5000}, "whole number"),
        ({SIGNATURE: "v1,AAAA"}, "fits"),
        ({SIGNATURE: "v1,ä"}, "fits"),
        ({SIGNATURE: "v2,whatever"}, "fits"),
        ({SIGNATURE: ""}, "required"),
        ({ID: ""}, "required"),
    ],
)
def test_tampered_headers_are_refused(change: dict[str, str], says: str) -> None:
    signed = headers(KEY, event_id="e1", body=BODY, now_s=NOW)
    with pytest.raises(SignatureError, match=says):
        verify([KEY], {**signed, **change}, BODY, now_s=NOW)


def test_one_of_several_signatures_is_enough_while_keys_change() -> None:
    old = headers(b"o" * 32, event_id="e1", body=BODY, now_s=NOW)
    new = headers(KEY, event_id="e1", body=BODY, now_s=NOW)
    both = {**new, SIGNATURE: f"{old[SIGNATURE]} {new[SIGNATURE]}"}
    assert verify([KEY], both, BODY, now_s=NOW) == "e1"


def test_keys(tmp_path: Path) -> None:
    assert parse_secret("whsec_" + base64.b64encode(KEY).decode()) == KEY
    assert parse_secret(KEY.decode()) == KEY
    for text, says in (("short", "5 bytes"), ("whsec_AAAA", "3 bytes"), ("whsec_!!!", "base64"), ("", "0 bytes")):
        with pytest.raises(SecretError, match=says):
            parse_secret(text)
    path = tmp_path / "key"
    with pytest.raises(SecretError, match="cannot be read"):
        read_secret(path)
    with pytest.raises(SecretError, match="not a file"):
        read_secret(tmp_path)
    path.write_bytes(KEY + b"\n")
    path.chmod(0o640)
    assert read_secret(path) == KEY
    path.chmod(0o604)
    with pytest.raises(SecretError, match="0604"):
        read_secret(path)
    path.chmod(0o600)
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(SecretError, match="not text"):
        read_secret(path)
