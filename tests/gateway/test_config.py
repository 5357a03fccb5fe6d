"""gateway.toml: every mistake ends `werkpuls gateway --check` with exit code 2, the file and the path within it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.gateways import PASSWORD, options_in, write_gateway

from gateway.config import local_zone, read_gateway
from werkpuls.cli import main
from wire.settings import SettingsError

LISTEN = 'host = "0.0.0.0"'
SUBSCRIBER = '[[subscriber]]\nname = "forecast"\nurl = "http://127.0.0.1:1/"\nsecret_file = "secret"\n'
PERSON = '[[person]]\nname = "anna"\nurls_file = "urls"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"password": PASSWORD, "short": "12345678901", "secret": "x" * 40, "urls": "json://127.0.0.1/\n",
                       "cert": "-", "key": "-"}.items():  # fmt: skip
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "open").write_text(PASSWORD)
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe" * 20)
    (tmp_path / "bytes").chmod(0o600)
    (tmp_path / "empty").touch(0o600)
    return tmp_path


def check(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["gateway", "--check", "--config", str(path)])
    return code, capsys.readouterr().err


def test_a_good_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_gateway(
        folder, more=SUBSCRIBER + PERSON, more_web=f'{LISTEN}\npassword_file = "password"\ncert = "cert"\nkey = "key"'
    )
    assert check(path, capsys) == (0, "")
    assert main(["gateway", "--check", "--json", "--config", str(path)]) == 0
    assert capsys.readouterr().out == '{"ok":true}\n'
    assert not (folder / "state").exists(), "a check makes nothing"


@pytest.mark.parametrize(
    ("more_web", "more", "words"),
    [
        ("prot = 1", "", ("web.prot", "port")),
        ('port_ = "x"', "", ("web.port_",)),
        ("", "[alert]\nmin_open_s = 1", ("alert", "alerts")),
        ("", "[costs]\ncurency = 'EUR'", ("costs.curency", "currency")),
        ("", "[costs.lead_hours]\nalarm = 1e9", ("costs.lead_hours.alarm", "876000")),
        ("", '[[machine]]\nname = "oven"\noutage_hours = {default = 1e9}', ("machine 2, outage_hours",)),
        ("", "[batches]\nidle_close_s = 1e300", ("batches.idle_close_s", "3200000000")),
        ("", "[notify]\npage_ulr = ''", ("notify.page_ulr", "page_url")),
        ('password_file = "none"', "", ("web.password_file", "none")),
        ('password_file = "short"', "", ("web.password_file", "12 characters")),
        ('password_file = "empty"', "", ("web.password_file",)),
        ('password_file = "bytes"', "", ("web.password_file",)),
        ('password_file = "open"', "", ("web.password_file", "chmod")),
        ('cert = "none"\nkey = "key"', "", ("web.cert", "none")),
        ('cert = "cert"', "", ("web.key", "together with cert")),
        ('key = "key"', "", ("web.cert", "together with key")),
        (LISTEN, "", ("web.password_file", "other computers")),
        (f'{LISTEN}\npassword_file = "password"', "", ("web.cert", "plain_http")),
        ("", '[[machine]]\nname = "mixer"', ("machine", "mixer")),
        ("", SUBSCRIBER * 2, ("subscriber", "forecast")),
        ("", PERSON * 2, ("person", "anna")),
        ("", SUBSCRIBER.replace('"secret"', '"short"'), ("subscriber", "32")),
        ("", SUBSCRIBER.replace("http://127.0.0.1:1/", "http://example.com/"), ("subscriber",)),
        ("", PERSON.replace('"urls"', '"none"'), ("person 1",)),
        ("", '[[machine]]\nname = "Oven One"', ("machine 2, name",)),
    ],
)
def test_a_mistake_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], more_web: str, more: str, words: tuple[str, ...]
) -> None:
    path = write_gateway(folder, more_web=more_web, more=more)
    code, said = check(path, capsys)
    assert code == 2
    assert said.startswith(f"{path}: ")
    assert said.count("\n") == 1
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('timezone = "Europe/Berlin"', 'timezone = "Europe/Brotstadt"', ("timezone", "Europe/Brotstadt")),
        ('timezone = "Europe/Berlin"', 'timezone = "../../etc/passwd"', ("timezone",)),
        ('language = "de"', 'language = "fr"', ("language", "fr")),
        ("tls = false", "tls = true", ("mqtt.ca",)),
        ("tls = false", 'tls = false\nhost = "broker.example"', ("mqtt.tls", "broker.example")),
        ("tls = false", 'tls = true\nca = "no-such-ca.crt"', ("mqtt.ca", "no-such-ca.crt")),
        ('type = "embedded"', 'type = "sqlite"', ("store.type", "expected one of embedded, influx", "sqlite")),
        ('site = "bakery"', 'site = "Bäckerei"', ("site",)),
        ('site = "bakery"', "", ("site",)),
    ],
)
def test_a_mistake_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, words: tuple[str, ...]
) -> None:
    path = write_gateway(folder)
    path.write_text(path.read_text().replace(old, new))
    code, said = check(path, capsys)
    assert code == 2
    for word in (str(path), *words):
        assert word in said


def test_a_file_that_is_missing_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_gateway(tmp_path / "gateway.toml")
    (tmp_path / "gateway.toml").write_text("site = \n")
    with pytest.raises(SettingsError, match="line 1"):
        read_gateway(tmp_path / "gateway.toml")


def test_the_command_s_exit_code(tmp_path: Path) -> None:
    path = write_gateway(tmp_path, more_web="prot = 1")
    done = subprocess.run(
        [sys.executable, "-m", "werkpuls", "gateway", "--check", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}: web.prot" in done.stderr


def test_everywhere_with_a_password_and_on_purpose_without_https(folder: Path) -> None:
    made = options_in(folder, more_web=f'{LISTEN}\npassword_file = "password"\nplain_http = true')
    assert made.web.plain_http


def test_the_computer_s_own_zone_has_its_summer_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    hours = [datetime(2026, month, 1, tzinfo=UTC).astimezone(local_zone()).hour for month in (1, 7)]
    assert hours == [1, 2]
    monkeypatch.setenv("TZ", "No/Where")
    assert local_zone() is UTC
