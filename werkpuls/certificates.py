"""A certificate authority for one site, in a folder: the broker's certificate and one per node; and another one for the page.

The page's is apart because everything that an authority signs for the gateway's host, nodes take for their broker. The page's key
lies with the gateway, the broker's does not: who takes the gateway shall not be able to pose as the broker.

The files are what mosquitto and `wire.link` read: PEM, `<name>.crt` and `<name>.key`, keys readable by their owner only. A
node's name is its certificate's common name, which the broker takes for the user name, to which its access list refers.
Nothing is ever overwritten: a certificate is renewed by moving the old one away first.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wire.durable import sync_folder
from wire.messages import NAME_PATTERN

DAYS = 3650
"""Machines are retrofitted once; who wants shorter lives passes `days`."""
AUTHORITY = "ca"
SERVER = "broker"
PAGE_AUTHORITY = "page-ca"
PAGE = "page"
_HOST = re.compile(r"^[A-Za-z0-9*]([A-Za-z0-9.*-]{0,251}[A-Za-z0-9])?$")


class CertificateError(Exception):
    """A certificate cannot be made; the text says which file or name is in the way."""


class NameRefused(CertificateError):
    """A name or address that no certificate can be made for; nothing that lies in the folder is the reason."""


class Files(NamedTuple):
    """Where a certificate and its key are."""

    certificate: Path
    key: Path


class Authority:
    """The certificate authority in a folder.

    Args:
        folder: holds the authority's files, and what is issued.
        called: its files are `<called>.crt` and `<called>.key`.

    Raises:
        CertificateError: there is none, or its files cannot be read; `Authority.create` makes one.
    """

    def __init__(self, folder: Path, called: str = AUTHORITY) -> None:
        self._folder = folder
        self.files = _files(folder, called)
        try:
            self._certificate = x509.load_pem_x509_certificate(self.files.certificate.read_bytes())
            key = serialization.load_pem_private_key(self.files.key.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as exc:
            raise CertificateError(f"no certificate authority in {folder}: {exc}") from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CertificateError(f"{self.files.key} is not an elliptic-curve key")
        self._key = key

    @classmethod
    def create(cls, folder: Path, called: str = AUTHORITY, *, name: str = "Werkpuls", days: int = DAYS) -> Authority:
        """Makes a new authority.

        Args:
            folder: is made if it does not exist.
            called: name of its files.
            name: of the authority, for people.
            days: how long it is valid.

        Raises:
            CertificateError: there is one already.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name)
        builder = (
            _builder(subject, subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        folder.mkdir(parents=True, exist_ok=True)
        _write(_files(folder, called), builder.sign(key, hashes.SHA256()), key)
        return cls(folder, called)

    @classmethod
    def open_or_create(
        cls, folder: Path, called: str = AUTHORITY, *, name: str = "Werkpuls", days: int = DAYS
    ) -> tuple[Authority, bool]:
        """The authority of a folder, and whether it was made just now.

        Raises:
            CertificateError: its files are there and cannot be read, or cannot be made.
        """
        if _files(folder, called).certificate.exists():
            return cls(folder, called), False
        return cls.create(folder, called, name=name, days=days), True

    def issue_server(self, hosts: Sequence[str], *, name: str = SERVER, days: int = DAYS) -> Files:
        """A certificate for the broker, or for the page.

        Args:
            hosts: every name and IP address under which it is reached.
            name: of the files.
            days: how long it is valid.

        Raises:
            CertificateError: no host, one that is neither a host name nor an address, or the files exist.
        """
        if not hosts:
            raise NameRefused("a server certificate needs at least one host name or address")
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        return self._issue(name, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, days, names)

    def issue_client(self, node: str, *, days: int = DAYS) -> Files:
        """A certificate for a node, or for the gateway (`gateway`).

        Raises:
            CertificateError: not a node's name, or the files exist.
        """
        if not re.match(NAME_PATTERN, node):
            raise NameRefused(f"{node!r} is not a node's name: lower-case letters, digits, - and _, at most 63")
        return self._issue(node, node, ExtendedKeyUsageOID.CLIENT_AUTH, days, None)

    def _issue(
        self,
        name: str,
        common_name: str,
        purpose: x509.ObjectIdentifier,
        days: int,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> Files:
        if name in (AUTHORITY, PAGE_AUTHORITY) or not re.match(NAME_PATTERN, name):
            raise NameRefused(f"{name!r} cannot be the name of a certificate's files")
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_subject(common_name), self._certificate.subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(issuer, critical=False)
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        files = _files(self._folder, name)
        _write(files, builder.sign(self._key, hashes.SHA256()), key)
        return files


def _files(folder: Path, name: str) -> Files:
    return Files(folder / f"{name}.crt", folder / f"{name}.key")


def _subject(common_name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    except ValueError as exc:
        raise NameRefused(f"{common_name!r} cannot be a certificate's name: {exc}") from exc


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.match(host):
            raise NameRefused(f"{host!r} is neither a host name nor an IP address") from None
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    # A board without a clock may be a little behind when it first connects.
    now = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=days + 1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(files: Files, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """Both files or none: the certificate waits beside its place until the key is in its own.

    So a key whose certificate still waits is what a power cut left of an earlier run, and was never given to anybody.
    """
    waiting = files.certificate.with_name(f"{files.certificate.name}.new")
    if waiting.exists() and not files.certificate.exists():
        files.key.unlink(missing_ok=True)
    for path in files:
        if path.exists():
            raise CertificateError(f"{path} exists already; nothing is overwritten")
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    at = waiting
    try:
        waiting.unlink(missing_ok=True)
        _write_new(waiting, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        at = files.key
        _write_new(files.key, key_pem, 0o600)
        waiting.rename(files.certificate)
        sync_folder(files.key.parent)
    except OSError as exc:
        if not isinstance(exc, FileExistsError):
            files.key.unlink(missing_ok=True)
        waiting.unlink(missing_ok=True)
        raise CertificateError(f"{at}: {exc.strerror}") from exc


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
