"""`werkpuls certs` as a person calls it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from werkpuls import cli
from werkpuls.certificates import Authority


def certs(*words: object) -> int:
    return cli.main(["certs", *map(str, words)])


def test_a_whole_site_in_one_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--folder", tmp_path, "--broker", "gateway.local", "--broker", "192.168.1.10", "--node", "oven-pi"]
    assert certs(*words, "--node", "mixer-pi") == 0
    names = ["ca", "broker", "gateway", "oven-pi", "mixer-pi"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{end}" for name in names for end in ("crt", "key")
    )
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("*.key"))
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / f"{name}.crt") for name in names
    ]


def test_a_node_is_added_later_by_the_same_authority(tmp_path: Path) -> None:
    assert certs("--folder", tmp_path, "--node", "oven-pi") == 0
    authority = (tmp_path / "ca.crt").read_bytes()
    assert certs("--folder", tmp_path, "--node", "mixer-pi") == 0
    assert (tmp_path / "ca.crt").read_bytes() == authority
    assert (tmp_path / "mixer-pi.crt").exists()


def test_the_page_has_an_authority_of_its_own_that_no_node_takes_for_the_broker_s(tmp_path: Path) -> None:
    assert certs("--folder", tmp_path, "--page", "gateway.local", "--page", "192.168.1.10") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page-ca.crt", "page-ca.key", "page.crt", "page.key"]
    assert certs("--folder", tmp_path, "--broker", "gateway.local", "--node", "oven-pi") == 0

    def meets(trusted: str, shown: str) -> bool:
        """Whether who trusts an authority takes the certificate for that of `gateway.local`."""
        client, server = ssl.MemoryBIO(), ssl.MemoryBIO()
        trusting = ssl.create_default_context(cafile=tmp_path / f"{trusted}.crt")
        showing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        showing.load_cert_chain(tmp_path / f"{shown}.crt", tmp_path / f"{shown}.key")
        asks = trusting.wrap_bio(client, server, server_hostname="gateway.local")
        answers = showing.wrap_bio(server, client, server_side=True)
        for _ in range(3):
            for side in (asks, answers):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                except ssl.SSLError:
                    return False
        return True

    assert [meets("ca", "broker"), meets("page-ca", "page")] == [True, True]
    assert [meets("ca", "page"), meets("page-ca", "broker")] == [False, False]


def test_the_broker_s_certificate_is_renewed_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert certs("--folder", tmp_path, "--broker", "gateway.local") == 0
    before = (tmp_path / "gateway.crt").read_bytes()
    for end in ("crt", "key"):
        (tmp_path / f"broker.{end}").rename(tmp_path / f"old.{end}")
    capsys.readouterr()
    assert certs("--folder", tmp_path, "--broker", "gateway.local") == 0
    assert capsys.readouterr().out.split()[0] == str(tmp_path / "broker.crt")
    assert (tmp_path / "gateway.crt").read_bytes() == before


def test_what_exists_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert certs("--folder", tmp_path, "--node", "oven-pi") == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert certs("--folder", tmp_path, "--node", "oven-pi") == 1
    assert "exists already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--node", "Oven Pi"], "not a node's name"),
        (["--node", "../../etc/passwd"], "not a node's name"),
        (["--broker", "http://gateway"], "neither a host name"),
    ],
)
def test_names_that_are_none_are_wrong_use(
    tmp_path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert certs("--folder", tmp_path / "tls", *words) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert certs("--folder", tmp_path / "file" / "tls", "--node", "pi") == 1
    assert "file" in capsys.readouterr().err


def test_a_damaged_authority_is_named_and_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Authority.create(tmp_path)
    (tmp_path / "ca.key").write_text("no key\n")
    assert certs("--folder", tmp_path, "--node", "pi") == 1
    assert "certificate authority" in capsys.readouterr().err
    assert (tmp_path / "ca.key").read_text() == "no key\n"
