"""Whether the broker can be reached and lets this node in, step by step, so that the first thing wrong has a name."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import msgspec

from edge.certificate import NoCertificate, dates, validity
from edge.doctor.checks import Check, check
from wire.connection import ConnectionFailed, tls_context
from wire.delivery import LinkConfig
from wire.link import Link

TIMEOUT_S = 5.0
SOON_DAYS = 30
_OUT_OF_DATE = (9, 10)
_WRONG_NAME = (62, 64)
"""X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED; _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH (openssl, x509_vfy.h)."""


def broker(config: LinkConfig, *, timeout_s: float = TIMEOUT_S, now: datetime | None = None) -> Iterator[Check]:
    """Name, port, TLS, certificates, login.

    Args:
        config: as a daemon uses it, with a client id of its own: two clients of one name throw each other out.
        timeout_s: for each step.
        now: the present time.
    """
    now = now or datetime.now(tz=UTC)
    if config.tls is not None:
        yield from _files(config, now)
    where = {"host": config.host, "port": config.port}
    started = time.monotonic()
    try:
        plain = socket.create_connection((config.host, config.port), timeout=timeout_s)
    except (socket.gaierror, UnicodeError):  # the second one for what cannot be a name, such as two dots in a row
        yield check("broker", "no_name", **where)
        return
    except ConnectionRefusedError:
        yield check("broker", "closed", **where)
        return
    except OSError as exc:
        yield check("broker", "silent", **where, error=exc.strerror or str(exc))
        return
    with plain:
        secured = _handshake(plain, config, now)
    yield from secured
    if not all(one.code.startswith("certificate_") for one in secured):
        return
    failed = _login(config, timeout_s)
    if failed:
        yield check("broker", "login", **where, error=failed)
    else:
        yield check("broker", "good", **where, ms=round(1000 * (time.monotonic() - started)))


def _files(config: LinkConfig, now: datetime) -> Iterator[Check]:
    assert config.tls is not None  # noqa: S101  # the caller looked
    for path in (config.tls.ca, config.tls.cert):
        if path is None:
            continue
        try:
            yield _expiry(path, validity(Path(path)).end, now)
        except NoCertificate as exc:
            yield check("broker", "files", error=str(exc))


def _expiry(what: str, end: datetime, now: datetime) -> Check:
    days = (end - now).days
    code = "certificate_over" if end <= now else "certificate_soon" if days < SOON_DAYS else "certificate_good"
    return check("broker", code, what=what, days=days, until=end.date().isoformat())


def _handshake(plain: socket.socket, config: LinkConfig, now: datetime) -> list[Check]:
    """What is wrong with TLS; the age of the broker's certificate when nothing is."""
    if config.tls is None:
        return []
    where = {"host": config.host, "port": config.port}
    try:
        with tls_context(config.tls).wrap_socket(plain, server_hostname=config.host) as secured:
            der = secured.getpeercert(binary_form=True) or b""
        return [_expiry(config.host, dates(der).end, now)]
    except ConnectionFailed as exc:
        return [check("broker", "files", error=str(exc))]
    except ssl.SSLCertVerificationError as exc:
        if exc.verify_code in _OUT_OF_DATE:
            code = "out_of_date"
        else:
            code = "wrong_name" if exc.verify_code in _WRONG_NAME else "authority"
        return [check("broker", code, **where, error=exc.verify_message)]
    except (OSError, ValueError, IndexError) as exc:
        return [check("broker", "tls", **where, error=str(exc))]


def _login(config: LinkConfig, timeout_s: float) -> str:
    """Why the broker does not let us in; empty when it does. Leaves no session behind."""
    ready = Event()
    link = Link(
        msgspec.structs.replace(config, session_expiry_s=0),
        on_message=lambda _message: None,
        on_connected=ready.set,
    )
    link.start()
    end = time.monotonic() + timeout_s
    try:
        while not ready.wait(0.05) and time.monotonic() < end:
            if link.stats().last_error:
                break
        return "" if ready.is_set() else link.stats().last_error or "no answer"
    finally:
        link.stop()
