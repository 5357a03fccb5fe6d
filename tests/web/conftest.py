"""One gateway without a broker for a file's tests of the page and the API; messages come straight into its journal."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver import Chrome
from support.browsers import browser
from support.gateways import Feed, client, running

from gateway.daemon import Gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def feed(gateway: Gateway) -> Feed:
    return Feed(gateway)


@pytest.fixture
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    with client(gateway) as http:
        yield http


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver
