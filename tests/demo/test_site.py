"""The demo's site: secrets that are secret, the shipped broker configuration, files that the daemons accept."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from support.broker import until

from edge.config import check_machines, read_node
from edge.sensors.simulated import Simulated
from gateway.config import read_gateway
from models.quality.profile import read_profile_card
from werkpuls.demo.plan import MACHINES, Recording
from werkpuls.demo.processes import ProcessFailed
from werkpuls.demo.site import CAMERA_PROCESS, CHECKOUT, RECEIVERS, Site
from wire.clock import boottime_ns

AWKWARD = 'a "quoted" folder with blanks and ümlauts'


def built(folder: Path, **given: object) -> Site:
    folder.mkdir(exist_ok=True)
    site = Site(folder, **given)  # type: ignore[arg-type]  # passed on
    site.build()
    return site


def test_nobody_else_can_read_a_key_or_a_secret(tmp_path: Path) -> None:
    site = built(tmp_path / "site")
    secret = [*site.folder.rglob("*.key"), *site.folder.rglob("*.secret"), site.folder / "werkpuls.acl"]
    assert len(secret) == 2 + 1 + len(site.nodes) + len(RECEIVERS) + 1
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in secret} == {path.name: "0o600" for path in secret}
    keys = [(site.folder / f"{name}.secret").read_text() for name in RECEIVERS]
    assert len(set(keys)) == len(RECEIVERS)
    assert all(len(bytes.fromhex(key)) == 32 for key in keys)


def test_the_broker_runs_what_is_shipped(tmp_path: Path) -> None:
    site = built(tmp_path / "site")
    lines = (site.folder / "mosquitto.conf").read_text().splitlines()
    shipped = (CHECKOUT / "deploy" / "mosquitto" / "werkpuls.conf").read_text().splitlines()
    own = ("listener ", "cafile ", "certfile ", "keyfile ", "acl_file ")
    assert [line for line in shipped if not line.startswith(own)] == [
        line for line in lines[: len(shipped)] if not line.startswith(own)
    ]
    assert [line for line in lines if line.startswith("listener")] == [f"listener {site.broker_port} 127.0.0.1"]
    assert {"require_certificate true", "allow_anonymous false", "use_identity_as_username true"} <= set(lines)
    assert not [line for line in lines if line.startswith("include_dir") or "bind_address" in line]
    acl = (CHECKOUT / "deploy" / "mosquitto" / "werkpuls.acl").read_text()
    assert (site.folder / "werkpuls.acl").read_text() == acl


def test_who_has_no_certificate_gets_no_word_out_of_the_broker(tmp_path: Path) -> None:
    site = built(tmp_path / AWKWARD)
    broker = site.children["broker"]
    try:
        broker.start()
        site.wait_for_port("broker", site.broker_port)
        context = ssl.create_default_context(cafile=str(site.folder / "tls" / "ca.crt"))
        assert not connected(site.broker_port, context)
        context.load_cert_chain(site.folder / "tls" / "gateway.crt", site.folder / "tls" / "gateway.key")
        assert connected(site.broker_port, context), broker.tail()
    finally:
        assert broker.stop()


def connected(port: int, context: ssl.SSLContext) -> bool:
    """Whether an MQTT 3.1.1 CONNECT is answered with a CONNACK that accepts."""
    connect = bytes.fromhex("10 0e 0004 4d515454 04 02 003c 0002 6162")
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(connect)
            return secured.recv(4) == bytes.fromhex("20020000")
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_daemons_accept_what_it_writes(tmp_path: Path, language: str) -> None:
    table = tmp_path / "a pump.csv"
    table.write_text("t;power;say 'x';µ\\n\n" + "".join(f"{row};{row % 7};{row % 5};1\n" for row in range(100)))
    recording = Recording(table, warmup=50, separator=";", ignore=("say 'x'", "µ\\n"), time="t")
    site = built(tmp_path / AWKWARD, recording=recording, language=language)
    options = read_gateway(site.folder / "gateway.toml")
    assert (options.web.host, options.web.port, options.language) == ("127.0.0.1", site.web_port, language)
    assert options.mqtt.tls
    assert {facts.name: facts.title for facts in options.machines} == {
        machine.name: machine.titles[language] for machine in site.machines
    }
    assert {target.url.split("/")[2].split(":")[0] for target in options.subscribers} == {"127.0.0.1"}
    found = {}
    for node in site.nodes:
        config = read_node(site.folder / f"{node}.toml")
        check_machines(config, boottime_ns, origin="sense")
        found.update({machine.name: (node, machine) for machine in config.options.machines})
        assert config.options.mqtt.tls
    assert {name: node for name, (node, _) in found.items()} == {plan.name: plan.node for plan in site.machines}
    machine = found["aufnahme"][1]
    assert machine.warmup_s / machine.interval_s == pytest.approx(50)
    # As probable an excess a row as at the recording's own pace of a row a second.
    assert machine.false_alarms_per_month * machine.interval_s == pytest.approx(1.0)


def test_the_camera_sees_the_ovens_goods_and_is_taught_before_it_starts(tmp_path: Path) -> None:
    site = built(tmp_path / AWKWARD, camera=True, language="en")
    config = read_node(site.folder / "backstube.toml")
    (camera,) = config.options.cameras
    oven = check_machines(config, boottime_ns, origin="sense")["ofen"][0]
    assert camera.machine == "ofen"
    assert camera.browning == site.camera_files.crust
    assert isinstance(oven, Simulated)
    assert oven._config.crust == camera.browning
    assert not read_node(site.folder / "keller.toml").options.cameras
    assert not site.sees
    site._lesson.start()  # type: ignore[union-attr]  # there is one, as it has a camera
    until(lambda: decided(site), 90)
    assert site.camera_lacks == ""
    site.stop()
    assert read_profile_card(site.camera_files.profiles / "rolls.json").product == "Rolls"
    assert site.children[CAMERA_PROCESS].pid is None


def decided(site: Site) -> bool:
    """Whether there is a camera or a reason for none."""
    site.tend()
    return site.sees or bool(site.camera_lacks)


def test_without_opencv_it_is_said_and_everything_else_runs_on(tmp_path: Path) -> None:
    broken = tmp_path / "packages"
    broken.mkdir()
    (broken / "cv2.py").write_text("raise ImportError('libwhatever.so.1: cannot open shared object file')\n")
    path = {"PYTHONPATH": str(broken)}
    site = built(tmp_path / "site", camera=True, environment={"lesson": path})
    site._lesson.start()  # type: ignore[union-attr]  # as above
    until(lambda: decided(site), 90)
    assert "libwhatever" in site.camera_lacks
    assert "-e '.[camera]'" in site.camera_lacks
    assert not site.sees
    assert set(site.children) == {"broker", *RECEIVERS, "gateway", *site.nodes}
    site.stop()


def test_every_fault_has_one_machine_and_every_machine_a_title_in_both_languages() -> None:
    names = [fault for machine in MACHINES for fault in machine.faults]
    assert len(names) == len(set(names)) > 8
    assert all(set(machine.titles) == {"de", "en"} for machine in MACHINES)


def test_a_process_that_does_not_come_up_is_told_with_its_log(tmp_path: Path) -> None:
    site = built(tmp_path / "site")
    (site.folder / "mosquitto.conf").write_text("nonsense true\n")
    with pytest.raises(ProcessFailed, match="broker ended with code"):
        site.start()
    site.stop()
    assert all(child.pid is None for child in site.children.values())
