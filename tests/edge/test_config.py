"""node.toml: what is refused, with which words, before anything starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.nodes import HEAD, write_node

from edge.config import NodeConfig, check_machines, link_of, read_node
from werkpuls.edge import check
from werkpuls.words import Words
from wire.broker import is_loopback
from wire.clock import boottime_ns
from wire.settings import SettingsError

SECOND = """
[[machine]]
name = "{name}"
kind = "generic"
[[machine.sensor]]
{sensor}
"""


def read(path: Path) -> NodeConfig:
    config = read_node(path)
    check_machines(config, boottime_ns, origin="sense")
    return config


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


def test_a_good_configuration_is_read_whole(tmp_path: Path) -> None:
    config = read(write_node(tmp_path, "mixer-1", "mixer-2"))
    assert [machine.name for machine in config.options.machines] == ["mixer-1", "mixer-2"]
    assert config.options.state.dir == tmp_path / "state"
    assert [setup.type.name for setup in config.sensors["mixer-1"]] == ["simulated"]
    assert link_of(config.options, "sense").client_id == "bakery-pi-sense"
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (SECOND.format(name="mixer-1", sensor='type = "host"'), "machine 2, name: machine 'mixer-1' is already machine 1"),
        (SECOND.format(name="Ofen 1", sensor='type = "host"'), "machine 2, name: expected text"),
        (SECOND.format(name="a", sensor='type = "hots"'), "machine 2, sensor 1, type: unknown sensor type 'hots'; did you mean host?"),
        (SECOND.format(name="a", sensor="type = 3"), "machine 2, sensor 1, type: unknown sensor type 3"),
        (SECOND.format(name="a", sensor="x = 3"), "machine 2, sensor 1, type: must be given; one of simulated,"),
        (SECOND.format(name="a", sensor='type = "host"\nevery_ms = 3'), "machine 2, sensor 1, every_ms: unknown option; wrong unit, this is given in s: every_s"),
        (SECOND.format(name="a", sensor='type = "host"\nevery_s = "5 s"'), "machine 2, sensor 1, every_s: expected a number from 0.1 to 3600 in s; a plain number in s, without the unit"),
        (SECOND.format(name="a", sensor='type = "host"\nname = "No Good"'), "machine 2, sensor 1, name: expected text"),
        (SECOND.format(name="a", sensor='type = "host"\n[[machine.sensor]]\ntype = "host"'), "machine 2, sensor 2, name: sensor 'host' is already machine 2, sensor 1"),
        (SECOND.format(name="a", sensor='type = "host"\n[[machine.sensor]]\ntype = "host"\nname = "b"'), "is already delivered by machine 2, sensor 1"),
        (SECOND.format(name="a", sensor='type = "simulated"'), "machine 2, sensor 1: no simulated machine of kind 'generic'"),
        (SECOND.format(name="a", sensor='type = "replay"\nfiles = ["none.csv"]'), "machine 2, sensor 1: "),
        (SECOND.format(name="a", sensor='type = "host"') + "[machine.bearing]\nballs = 9\nball_mm = 9\npitch_mm = 9\n", "machine 2, bearing: ball_mm 9 must be smaller than pitch_mm 9"),
        ('[[machine]]\nname = "a"\nsensor = []\n', "machine 2, sensor: expected a list of 1 to 32 entries, each a table, got a list of length 0"),
        ('[[camera]]\nname = "a"\nmachine = "b"\ntype = "photos"\nfolder = "none"\n', "camera 1, folder: "),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path: Path, machine: str, said: str) -> None:
    assert said in refusal(write_node(tmp_path, "mixer-1", more=machine))


@pytest.mark.parametrize(
    ("quantity", "unit", "right"),
    [("temperature", "°F", False), ("temperature", "°C", True), ("power", "A", False), ("power", "kW", True), ("level", "Eimer", True)],
)  # fmt: skip
def test_a_unit_must_fit_its_quantity(tmp_path: Path, quantity: str, unit: str, *, right: bool) -> None:
    sensor = (
        f'type = "mqtt"\n[[machine.sensor.channel]]\nname = "x"\ntopic = "x"\nquantity = "{quantity}"\nunit = "{unit}"'
    )
    path = write_node(tmp_path, more=SECOND.format(name="a", sensor=sensor))
    if right:
        assert read(path).options.machines[0].name == "a"
    else:
        assert f"machine 1, sensor 1: channel 'x': unit '{unit}' is none of {quantity}; one of" in refusal(path)


def test_an_unknown_key_anywhere_names_the_nearest(tmp_path: Path) -> None:
    path = write_node(tmp_path, head=HEAD.replace("port = ", "prot = "))
    assert refusal(path) == "mqtt.prot: unknown option; did you mean port?"
    path = write_node(tmp_path, more='[mqqt]\nhost = "x"\n')
    assert refusal(path) == "mqqt: unknown option; did you mean mqtt?"


def test_the_gateways_name_is_taken(tmp_path: Path) -> None:
    assert '"gateway" is the gateway\'s own name' in refusal(
        write_node(tmp_path, head=HEAD.replace('node = "pi"', 'node = "gateway"'))
    )


def test_a_missing_certificate_hides_no_mistake_in_the_file(tmp_path: Path) -> None:
    head = HEAD[: HEAD.index("[mqtt]")] + '[mqtt]\nhost = "gateway.local"\nca = "none.pem"\n'
    assert "mqtt.ca: " in refusal(write_node(tmp_path, "mixer-1", head=head))
    wrong = SECOND.format(name="a", sensor='type = "hots"')
    assert "did you mean host?" in refusal(write_node(tmp_path, "mixer-1", head=head, more=wrong))


def tls_head(tmp_path: Path, **missing: bool) -> str:
    lines = ['host = "gateway.local"']
    for name in ("ca", "cert", "key"):
        file = tmp_path / f"{name}.pem"
        file.write_text("x")
        file.chmod(0o600)
        if not missing.get(name):
            lines.append(f'{name} = "{file.name}"')
    return HEAD.replace('host = "127.0.0.1"', "\n".join(lines)).replace("tls = false", "tls = true")


def test_certificates_are_checked_before_anything_starts(tmp_path: Path) -> None:
    config = read(write_node(tmp_path, head=tls_head(tmp_path)))
    tls = link_of(config.options, "sense").tls
    assert tls is not None
    assert tls.key == str(tmp_path / "key.pem")
    assert refusal(write_node(tmp_path, head=tls_head(tmp_path, ca=True))).startswith("mqtt.ca: must be given with TLS")
    assert (
        refusal(write_node(tmp_path, head=tls_head(tmp_path, key=True))) == "mqtt.key: must be given together with cert"
    )
    assert (
        refusal(write_node(tmp_path, head=tls_head(tmp_path, cert=True)))
        == "mqtt.cert: must be given together with key"
    )
    path = write_node(tmp_path, head=tls_head(tmp_path))
    (tmp_path / "key.pem").chmod(0o644)
    assert refusal(path).startswith("mqtt.key: ")
    (tmp_path / "key.pem").chmod(0o640)
    (tmp_path / "cert.pem").unlink()
    assert refusal(path) == f"mqtt.cert: {tmp_path / 'cert.pem'}: No such file or directory"


def test_plain_text_only_to_this_computer(tmp_path: Path) -> None:
    path = write_node(tmp_path, head=HEAD.replace('host = "127.0.0.1"', 'host = "192.168.1.5"'))
    assert refusal(path).startswith(
        'mqtt.tls: false is only for a broker on this computer (127.0.0.1), not for "192.168.1.5"'
    )
    path = write_node(tmp_path, head=HEAD.replace("tls = false", 'tls = false\nca = "x"'))
    assert refusal(path) == "mqtt.ca: has no use with tls = false"
    assert [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "[::1]", "0.0.0.0", "gateway", "1.2.3")] == [  # noqa: S104  # not bound, only judged
        True, True, True, True, False, False, False,
    ]  # fmt: skip


def test_a_password_file_must_be_secret_and_have_a_name(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("x")
    secret.chmod(0o604)
    head = HEAD.replace("tls = false", 'tls = false\npassword_file = "password"')
    assert refusal(write_node(tmp_path, head=head)) == "mqtt.username: must be given together with password_file"
    path = write_node(tmp_path, head=head.replace("tls = false", 'tls = false\nusername = "pi"'))
    assert refusal(path) == f"mqtt.password_file: {secret} can be read or changed by every user; chmod o-rwx {secret}"
    secret.chmod(0o640)
    assert link_of(read(path).options, "sense").password_file == str(secret)


def test_check_prints_the_plan_or_the_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(write_node(tmp_path, "mixer-1"), Words("en")) == 0
    out = capsys.readouterr().out
    assert "bakery/pi → 127.0.0.1:1" in out
    assert "machine mixer-1 (mixer), every 0.1 s" in out
    assert check(write_node(tmp_path, "mixer-1"), Words("en"), json_output=True) == 0
    assert '"channels":["vibration [g]"' in capsys.readouterr().out
    assert check(write_node(tmp_path), Words("en")) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert check(tmp_path / "none.toml", Words("en")) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'none.toml'}: No such file or directory\n"
    assert check(tmp_path / "none.toml", Words("de")) == 2
    assert f"{tmp_path / 'none.toml'}: gibt es nicht\n" in capsys.readouterr().err


def test_the_command_exits_with_2_and_starts_nothing(tmp_path: Path) -> None:
    path = write_node(tmp_path, "mixer-1", more="[[machin]]\n")
    done = subprocess.run(
        [sys.executable, "-m", "werkpuls", "edge", "sense", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"{path}: machin: unknown option; did you mean machine?\n"
    assert not (tmp_path / "state").exists()


def test_the_check_says_how_much_of_many_sensors_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(count: int) -> str:
        sensors = "".join(
            f'[[machine.sensor]]\ntype = "adxl345"\nname = "v{bus}"\nbus = {bus}\nchannel = "v{bus}"\naddress = 0x53\n'
            for bus in range(count)
        )
        path = tmp_path / "node.toml"
        path.write_text(
            HEAD.format(port=1883, faults="false") + f'[[machine]]\nname = "press"\n{sensors}', encoding="utf-8"
        )
        assert check(path, Words("de")) == 0
        return capsys.readouterr().out

    assert "ACHTUNG" not in said(3)
    assert "ACHTUNG: mehr als beurteilt werden kann, etwa " in said(4)
