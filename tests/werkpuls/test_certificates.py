"""The site's own certificate authority."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from werkpuls.certificates import Authority, CertificateError, Files


def test_files_and_their_rights(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "site")
    client, server = authority.issue_client("oven-pi"), authority.issue_server(["gateway.local", "192.168.1.5", "::1"])
    for files in (authority.files, client, server):
        assert files.key.stat().st_mode & 0o777 == 0o600
    certificate = x509.load_pem_x509_certificate(client.certificate.read_bytes())
    assert [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["oven-pi"]
    names = x509.load_pem_x509_certificate(server.certificate.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(name.value) for name in names.value] == ["gateway.local", "192.168.1.5", "::1"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    first = authority.issue_client("oven-pi")
    before = [path.read_bytes() for path in (*first, *authority.files)]
    with pytest.raises(CertificateError, match="exists already"):
        authority.issue_client("oven-pi")
    with pytest.raises(CertificateError, match="exists already"):
        Authority.create(tmp_path)
    first.certificate.unlink()
    with pytest.raises(CertificateError, match="exists already"):
        authority.issue_client("oven-pi")
    assert [path.read_bytes() for path in (first.key, *authority.files)] == before[1:]


@pytest.mark.parametrize("cut_at", range(1, 12))
def test_a_power_cut_in_the_middle_of_a_certificate_does_not_keep_it_from_being_made(
    tmp_path: Path, cut_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.create(tmp_path)

    class PowerCut(BaseException):
        """Nothing after it runs; what is written to files so far stays."""

    calls = 0

    def until_the_cut(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == cut_at:
                raise PowerCut
            return real(*words, **more)

        return call

    with monkeypatch.context() as patched:
        for owner, name in ((os, "open"), (os, "fsync"), (Path, "rename")):
            patched.setattr(owner, name, until_the_cut(getattr(owner, name)))
        with pytest.raises(PowerCut):
            authority.issue_client("oven-pi")
    files = Files(tmp_path / "oven-pi.crt", tmp_path / "oven-pi.key")
    if not files.certificate.exists():
        assert authority.issue_client("oven-pi") == files
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    assert certificate.public_key() == key.public_key()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.crt", "ca.key", "oven-pi.crt", "oven-pi.key"]


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.create(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(CertificateError, match="No space left"):
            authority.issue_client("oven-pi")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.crt", "ca.key"]


@pytest.mark.parametrize("name", ["", "Oven", "ca", "page-ca", "../oven", "a b", "x" * 64])
def test_names_that_no_node_has_are_refused(tmp_path: Path, name: str) -> None:
    authority = Authority.create(tmp_path)
    with pytest.raises(CertificateError):
        authority.issue_client(name)


@pytest.mark.parametrize("hosts", [[], [""], ["a b"], ["http://host"], ["host:8883"]])
def test_hosts_that_are_none_are_refused(tmp_path: Path, hosts: list[str]) -> None:
    authority = Authority.create(tmp_path)
    with pytest.raises(CertificateError):
        authority.issue_server(hosts)


def test_an_authority_is_opened_again_and_a_missing_one_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="no certificate authority"):
        Authority(tmp_path)
    Authority.create(tmp_path)
    assert Authority(tmp_path).issue_client("gateway").certificate.exists()


def test_both_sides_verify_each_other_under_the_strictest_checks(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    server, client = authority.issue_server(["127.0.0.1"]), authority.issue_client("oven-pi")
    at_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.files.certificate))
    at_client = ssl.create_default_context(cafile=str(authority.files.certificate))
    for context, files in ((at_server, server), (at_client, client)):
        context.load_cert_chain(*files)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    at_server.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def connect() -> None:
            with (
                socket.create_connection(listener.getsockname(), timeout=5) as plain,
                at_client.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
            ):
                secured.sendall(b"hello")

        thread = threading.Thread(target=connect)
        thread.start()
        listener.settimeout(5)
        accepted, _ = listener.accept()
        with at_server.wrap_socket(accepted, server_side=True) as secured:
            assert secured.recv(5) == b"hello"
            peer = secured.getpeercert()
        thread.join(5)
    assert peer is not None
    assert peer["subject"] == ((("commonName", "oven-pi"),),)
