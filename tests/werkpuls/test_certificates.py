"""The site's own certificate authority."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from werkpuls.certificates import Authority, CertificateError


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


@pytest.mark.parametrize("name", ["", "Oven", "ca", "../oven", "a b", "x" * 64])
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
