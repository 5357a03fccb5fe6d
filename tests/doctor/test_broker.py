"""The way to a real broker, step by step: the first thing wrong has a name."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from support.broker import Broker, free_port

from edge.certificate import NoCertificate, dates, validity
from edge.doctor.broker import broker
from werkpuls.certificates import Authority
from wire.connection import Tls
from wire.link import LinkConfig


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    files = authority.issue_server(["127.0.0.1"])
    with Broker(tmp_path_factory.mktemp("broker"), tls=(authority.files.certificate, *files)) as made:
        yield made


@pytest.fixture(scope="module")
def config(authority: Authority, server: Broker) -> LinkConfig:
    files = authority.issue_client("oven-pi")
    tls = Tls(ca=str(authority.files.certificate), cert=str(files.certificate), key=str(files.key))
    return LinkConfig(host="127.0.0.1", port=server.port, client_id="bakery-oven-pi-doctor", tls=tls)


def codes(config: LinkConfig, now: datetime | None = None) -> list[str]:
    return [one.code for one in broker(config, timeout_s=3.0, now=now)]


def changed(config: LinkConfig, **changes: object) -> LinkConfig:
    return msgspec.structs.replace(config, **changes)


def test_a_broker_that_lets_us_in_and_certificates_that_last(config: LinkConfig, server: Broker) -> None:
    found = list(broker(config, timeout_s=5.0))
    assert [one.code for one in found] == ["certificate_good"] * 3 + ["good"]
    assert 0 <= found[-1].values["ms"] < 5000
    assert found[0].values["days"] > 3600
    assert "bakery-oven-pi-doctor" in server.log()


def test_certificates_that_end_soon_or_have_ended(config: LinkConfig) -> None:
    ten_years = datetime.now(tz=UTC) + timedelta(days=3650)
    assert codes(config, ten_years - timedelta(days=20)) == ["certificate_soon"] * 3 + ["good"]
    assert codes(config, ten_years + timedelta(days=20))[0] == "certificate_over"


def test_a_name_that_nobody_knows(config: LinkConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> socket.socket:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    assert codes(config)[-1] == "no_name"


@pytest.mark.parametrize("host", ["a..b", ".gateway", "b" * 64])
def test_what_cannot_be_a_name_is_told_like_one_that_nobody_knows(config: LinkConfig, host: str) -> None:
    assert codes(changed(config, host=host))[-1] == "no_name"


def test_a_port_at_which_nobody_listens(config: LinkConfig) -> None:
    assert codes(changed(config, port=free_port()))[-1] == "closed"


def test_a_host_that_does_not_answer(config: LinkConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> socket.socket:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", silent)
    (*_, found) = broker(config)
    assert (found.code, found.values["error"]) == ("silent", "timed out")


def test_an_authority_that_is_not_the_brokers(config: LinkConfig, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other")
    assert config.tls is not None
    tls = changed_tls(config.tls, ca=str(other.files.certificate))
    assert codes(changed(config, tls=tls))[-1] == "authority"


def changed_tls(tls: Tls, **changes: object) -> Tls:
    return msgspec.structs.replace(tls, **changes)


def test_a_certificate_for_another_name(config: LinkConfig) -> None:
    assert codes(changed(config, host="localhost"))[-1] == "wrong_name"


def test_a_broker_whose_certificate_has_ended(tmp_path: Path) -> None:
    trustee = Authority.create(tmp_path / "ca")
    expired = trustee.issue_server(["127.0.0.1"], days=-1)
    with Broker(tmp_path / "broker", tls=(trustee.files.certificate, *expired)) as made:
        files = trustee.issue_client("oven-pi")
        tls = Tls(ca=str(trustee.files.certificate), cert=str(files.certificate), key=str(files.key))
        found = LinkConfig(host="127.0.0.1", port=made.port, client_id="doctor", tls=tls)
        assert codes(found)[-1] == "out_of_date"


def test_a_broker_that_speaks_no_tls(config: LinkConfig, tmp_path: Path) -> None:
    with Broker(tmp_path) as plain:
        assert codes(changed(config, port=plain.port))[-1] == "tls"


def test_files_that_are_no_certificates(config: LinkConfig, tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.crt"
    nonsense.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert config.tls is not None
    found = codes(changed(config, tls=changed_tls(config.tls, ca=str(nonsense))))
    assert found == ["files", "certificate_good", "files"]


def test_a_node_that_the_broker_refuses(config: LinkConfig) -> None:
    assert config.tls is not None
    nobody = changed(config, tls=changed_tls(config.tls, cert=None, key=None))
    assert codes(nobody)[-1] == "login"


def test_a_password_that_the_broker_refuses(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    with Broker(tmp_path / "broker", extra=f"allow_anonymous false\npassword_file {passwords}") as made:
        config = LinkConfig(
            host="127.0.0.1", port=made.port, client_id="doctor", username="oven-pi", password_file=str(secret)
        )
        (found,) = broker(config, timeout_s=3.0)
    assert found.code == "login"
    assert "authori" in found.values["error"]


def test_the_dates_in_a_certificate_are_those_that_a_library_reads(authority: Authority) -> None:
    files = authority.issue_client("mixer-pi", days=12_000)
    for path in (files.certificate, authority.files.certificate):
        expected = x509.load_pem_x509_certificate(path.read_bytes())
        assert validity(path) == (expected.not_valid_before_utc, expected.not_valid_after_utc)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_certificate_are_refused(der: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        dates(der)


def test_a_file_that_is_missing_or_holds_no_certificate(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.crt", Path(__file__).with_name("test_ports.py")):
        with pytest.raises(NoCertificate, match=path.name):
            validity(path)
