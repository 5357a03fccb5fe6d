"""TLS with our own certificates and the shipped access list, at a real broker."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import Broker, free_port, until
from support.parties import Party, config

from werkpuls.certificates import Authority, Files
from wire.connection import Tls

DEPLOY = Path(__file__).parents[2] / "deploy" / "mosquitto"


class Site:
    """A broker with the shipped access list, and the certificates of its site."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.create(folder / "certificates")
        server = self.authority.issue_server(["localhost", "127.0.0.1"])
        self.broker = Broker(
            folder / "broker",
            tls=(self.authority.files.certificate, *server),
            acl=DEPLOY / "werkpuls.acl",
        )

    def party(
        self, name: str, *filters: str, files: Files | None = None, ca: Path | None = None, host: str = "127.0.0.1"
    ) -> Party:
        files = files or self.authority.issue_client(name)
        ca = ca or self.authority.files.certificate
        tls = Tls(ca=str(ca), cert=str(files.certificate), key=str(files.key))
        return Party(config(self.broker.port, f"{name}-test", tls=tls, host=host), *filters)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.broker:
        yield made


def test_a_node_reaches_its_own_topics_only(site: Site) -> None:
    base = "werkpuls/v1/bakery"
    everything = ("werkpuls/v1/#", "other/#")
    with (
        site.party("gateway", *everything) as gateway,
        site.party("oven-pi", *everything) as oven,
        site.party("mixer-pi", *everything) as mixer,
    ):
        for party in (gateway, oven, mixer):
            party.up()
        may = [
            (oven, f"{base}/oven-pi/telemetry"),
            (oven, f"{base}/oven-pi/finding"),
            (oven, f"{base}/oven-pi/reply"),
            (oven, f"{base}/oven-pi/status/sense"),
            (gateway, f"{base}/oven-pi/ack/sense"),
            (gateway, f"{base}/oven-pi/command/sense"),
            (gateway, f"{base}/gateway/time"),
            (gateway, f"{base}/gateway/status/gateway"),
        ]
        for party, topic in may:
            assert party.link.publish(topic, topic.encode()).wait(10), topic
        may_not = [
            (oven, f"{base}/mixer-pi/telemetry"),
            (oven, f"{base}/mixer-pi/status/sense"),
            (oven, f"{base}/mixer-pi/command/sense"),
            (oven, f"{base}/oven-pi/ack/sense"),
            (oven, f"{base}/oven-pi/command/sense"),
            (oven, f"{base}/gateway/time"),
            (oven, f"{base}/gateway/status/gateway"),
            (oven, "other/topic"),
            (gateway, f"{base}/oven-pi/telemetry"),
            (gateway, "other/topic"),
        ]
        for party, topic in may_not:
            delivery = party.link.publish(topic, b"never")
            until(lambda ended=delivery: ended.done)
            assert delivery.failed is not None, topic
            assert "0x87" in delivery.failed
        until(lambda: len(gateway.heard) == len(may))
        assert {inbound.topic for inbound in gateway.heard} == {topic for _, topic in may}
        until(lambda: len(oven.heard) == 4)
        assert {inbound.topic for inbound in oven.heard} == {topic for party, topic in may if party is gateway}
        assert {inbound.topic for inbound in mixer.heard} == {f"{base}/gateway/time", f"{base}/gateway/status/gateway"}


def test_a_client_without_a_certificate_is_not_let_in(site: Site) -> None:
    tls = Tls(ca=str(site.authority.files.certificate))
    with Party(config(site.broker.port, tls=tls)) as party:
        until(lambda: party.link.stats().last_error != "")
        until(lambda: party.link.generation >= 2)
        assert not party.link.connected
        assert party.connects == 0


def test_a_client_of_another_authority_is_not_let_in(site: Site, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other")
    with site.party("oven-pi", files=other.issue_client("oven-pi")) as party:
        until(lambda: party.link.generation >= 2)
        assert party.connects == 0


def test_a_broker_of_another_authority_is_not_talked_to(site: Site, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other")
    with site.party("oven-pi", ca=other.files.certificate) as party:
        until(lambda: "CERTIFICATE_VERIFY_FAILED" in party.link.stats().last_error)
        assert party.connects == 0


def test_a_broker_under_another_name_is_not_talked_to(site: Site) -> None:
    with site.party("oven-pi", host="127.0.0.2") as party:
        until(lambda: party.link.stats().last_error != "")
        assert party.connects == 0


def test_a_missing_certificate_is_named(site: Site, tmp_path: Path) -> None:
    tls = Tls(ca=str(site.authority.files.certificate), cert=str(tmp_path / "none.crt"), key=str(tmp_path / "none.key"))
    with Party(config(site.broker.port, tls=tls)) as party:
        until(lambda: "none.crt" in party.link.stats().last_error)
        assert party.link.alive


def test_the_shipped_configuration_starts_and_listens_on_loopback_only(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "etc")
    authority.issue_server(["127.0.0.1"])
    shutil.copy(DEPLOY / "werkpuls.acl", tmp_path / "etc")
    shipped = (DEPLOY / "werkpuls.conf").read_text()
    assert re.findall(r"^listener .*", shipped, re.MULTILINE) == ["listener 8883 127.0.0.1"]
    port = free_port()
    text = shipped.replace("listener 8883", f"listener {port}").replace(
        "/etc/mosquitto/werkpuls", str(tmp_path / "etc")
    )
    path = tmp_path / "werkpuls.conf"
    path.write_text(f"{text}\npersistence_location {tmp_path}/\nuser root\n")
    broker = subprocess.Popen(["mosquitto", "-c", str(path)], stderr=subprocess.PIPE)
    try:
        client = authority.issue_client("oven-pi")
        tls = Tls(ca=str(authority.files.certificate), cert=str(client.certificate), key=str(client.key))
        with Party(config(port, tls=tls)) as party:
            party.up()
            assert party.link.publish("werkpuls/v1/bakery/oven-pi/telemetry", bytes(250_000)).wait(10)
            refused = party.link.publish("werkpuls/v1/bakery/mixer-pi/telemetry", b"")
            until(lambda: refused.done)
            assert "0x87" in str(refused.failed)
    finally:
        broker.kill()
        _, errors = broker.communicate(timeout=10)
    assert b"Error" not in errors
