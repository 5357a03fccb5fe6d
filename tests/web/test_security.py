"""Who is let in: password, guesses, forged requests, names that point here, headers; and who is written down."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from support.gateways import PASSWORD, Feed, client, running
from support.openapi import check, problem

from gateway.daemon import Gateway
from gateway.web.security import TRIES_PER_MINUTE

MACHINES = "/api/v1/machines"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("guarded")
    secret = folder / "password"
    secret.write_text(PASSWORD + "\nsecond line\n")
    secret.chmod(0o600)
    with running(folder, more_web=f'password_file = "{secret}"') as gateway:
        Feed(gateway).condition()
        yield gateway


@pytest.fixture
def someone(guarded: Gateway) -> Iterator[httpx.Client]:
    # uvicorn believes a proxy on this computer: so each test is a client of its own.
    with client(guarded) as made:
        yield made


def forwarded(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


def test_nothing_without_the_password_but_health(someone: httpx.Client) -> None:
    picture = "/api/v1/goods/items/pi/i-1/0/picture"
    for path in (
        "/",
        "/goods",
        picture,
        MACHINES,
        "/metrics",
        "/api/v1/stream",
        "/api/v1/openapi.json",
        "/static/page.js",
        "/nowhere",
    ):
        answer = someone.get(path, headers=forwarded("10.0.0.1"))
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert "content-security-policy" in answer.headers
    assert someone.get("/health").status_code == 503
    check(someone.get(MACHINES, headers=forwarded("10.0.0.1")))


def test_a_browser_without_the_password_is_asked_for_it_and_told_why(someone: httpx.Client) -> None:
    answer = someone.get("/", headers={**forwarded("10.0.0.2"), "accept": "text/html", "accept-language": "de"})
    assert (answer.status_code, answer.headers["www-authenticate"][:5]) == (401, "Basic")
    assert "Ohne das Passwort geht es nicht weiter." in answer.text
    assert "oven-pi" not in answer.text


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic /w==", "Bearer abc", "basic YTpi", "Basic " + "A" * 4000]
)
def test_credentials_that_are_none(someone: httpx.Client, header: str) -> None:
    answer = someone.get("/", headers={**forwarded("10.0.0.9"), "authorization": header})
    assert answer.status_code == 401


def test_a_guesser_is_locked_out_and_nobody_else(someone: httpx.Client) -> None:
    for _ in range(TRIES_PER_MINUTE):
        wrong = someone.get("/", auth=("eve", "wrong password"), headers=forwarded("10.6.6.6"))
        assert wrong.status_code == 401
    locked = someone.get(MACHINES, auth=("eve", PASSWORD), headers=forwarded("10.6.6.6"))
    problem(locked, 429, "minute")
    assert locked.headers["retry-after"] == "60"
    check(locked)
    assert someone.get("/", auth=("anna", PASSWORD), headers=forwarded("10.6.6.7")).status_code == 200


def test_an_ipv6_guesser_cannot_change_the_address_within_the_own_network(someone: httpx.Client) -> None:
    for number in range(TRIES_PER_MINUTE):
        someone.get("/", auth=("eve", "wrong"), headers=forwarded(f"2001:db8::{number:x}"))
    assert someone.get("/", auth=("eve", "wrong"), headers=forwarded("2001:db8::ffff")).status_code == 429
    assert someone.get("/", auth=("eve", "wrong"), headers=forwarded("2001:db8:1::1")).status_code == 401


def test_who_acts_is_written_down_with_the_name_at_the_door(guarded: Gateway, someone: httpx.Client) -> None:
    path = f"{MACHINES}/oven-pi/mixer/commands"
    for by in ("Anna", "office"):
        said = {"action": "pause", "by": by, "seconds": 5}
        assert check(someone.post(path, json=said, auth=("office", PASSWORD), headers=forwarded("10.0.0.2")))["id"]
    assert [line.by for line in guarded.ledger.audit(limit=2)] == ["office", "Anna (office)"]
    alert = Feed(guarded, log="log2").alert()
    changed = someone.post(
        f"/api/v1/alerts/{alert}/acknowledge",
        json={"by": "Anna", "note": "x"},
        auth=("office", PASSWORD),
        headers=forwarded("10.0.0.2"),
    )
    assert check(changed)["alert"]["owner"] == "Anna (office)"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_post_from_another_page_is_not_taken(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.post("/api/v1/alerts/a-1/note", json={"by": "Anna", "text": "x"}, headers=headers)
    problem(answer, 403)
    check(answer)
    assert http.post("/alerts/a-1", data={"action": "resolve", "by": "x"}, headers=headers).status_code == 403


def test_a_post_from_our_own_page_is_taken(gateway: Gateway, http: httpx.Client) -> None:
    own = {"origin": f"http://127.0.0.1:{gateway.options.web.port}", "sec-fetch-site": "same-origin"}
    assert http.post("/api/v1/alerts/a-1/note", json={"by": "A", "text": "x"}, headers=own).status_code == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("localhost:8077", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 403),
     ("evil.example:8077", 403), ("localhost.evil.example", 403), ("", 403)],
)  # fmt: skip
def test_without_a_password_only_names_of_this_computer_are_served(http: httpx.Client, host: str, status: int) -> None:
    assert http.get(MACHINES, headers={"host": host}).status_code == status


def test_a_page_may_load_only_its_own(http: httpx.Client) -> None:
    headers = http.get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(tmp_path / "cert.pem", append=number > 0)
    more = f'cert = "{tmp_path}/cert.pem"\nkey = "{tmp_path}/key.pem"'
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with running(tmp_path / "state", more_web=more) as gateway, client(gateway, verify=context) as http:
        assert http.get("/").status_code == 200
