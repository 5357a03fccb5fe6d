"""One HTTP connection to a time-series server, with its errors sorted by what the caller does about them."""

from __future__ import annotations

import base64
import os
import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

from gateway.store.base import StoreConfigError, StoreUnavailable
from gateway.store.config import InfluxConfig

_REFUSED: Final = frozenset({400, 422})
_TOO_LARGE: Final = 413
_DENIED: Final = frozenset({401, 403})
_DROPPED = re.compile(r"\bdropped=(\d+)")
_ABOUT_LINES = re.compile(
    r"partial write|unable to parse|cannot parse|parsing failed|parse error|type conflict|line protocol|"
    r"retention polic|bad timestamp|invalid (?:field|tag|number|boolean|measurement)|missing (?:field|tag|measurement)|"
    r"max key length|max-values-per-tag|schema",
    re.IGNORECASE,
)
_GZIP: Final = 31
_EXCERPT: Final = 300


class LinesRefused(Exception):
    """The server read the request and will never take all of these lines.

    Attributes:
        dropped: how many lines it says it dropped, where it says so.
        about_lines: the reason speaks of lines and not of the request as a whole.
        too_large: only the request's size was wrong.
    """

    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.too_large = too_large
        dropped = _DROPPED.search(reason)
        self.dropped = int(dropped.group(1)) if dropped else None
        self.about_lines = bool(_ABOUT_LINES.search(reason))


class Server:
    """influxdb-client's HTTP layer, used synchronously and without its own retries, batches or serialisers.

    Use it from one thread, or one at a time.

    Raises:
        StoreConfigError: the token cannot be read, or the authority's file is missing.
    """

    def __init__(self, config: InfluxConfig) -> None:
        # 50 MB resident: only a gateway that was configured for a server pays for it.
        from influxdb_client.client.influxdb_client import InfluxDBClient  # noqa: PLC0415 - see above

        if config.ca and not config.ca.is_file():
            raise StoreConfigError(f"ca: no such file: {config.ca}")
        self._config = config
        self._authorization = _authorization(config)
        self._client: Any = InfluxDBClient(  # Any: its methods carry no types
            config.url,
            timeout=round(config.timeout_s * 1000),
            ssl_ca_cert=str(config.ca) if config.ca else None,
            connection_pool_maxsize=1,
        )
        self.connections = 0
        """How many connections were made so far; a change means that the server may have been restarted."""
        self._count_connections()

    def write(self, body: bytes) -> None:
        """Sends lines.

        Raises:
            LinesRefused: some or all of them are refused for good.
            StoreUnavailable: nothing of it may count as stored.
        """
        config = self._config
        if config.api == "v1":
            path, query = "/write", {"db": config.bucket, "precision": "ns"}
            if config.retention_policy:
                query["rp"] = config.retention_policy
        else:
            path, query = "/api/v2/write", {"org": config.org, "bucket": config.bucket, "precision": "ns"}
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if config.gzip:
            # Level 1: lines repeat themselves so much that more effort only costs time.
            packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        self._call("POST", path, query, headers, body)

    def get(self, path: str, query: Mapping[str, str]) -> str:
        """The body of an answer to a GET.

        Raises:
            StoreUnavailable: it cannot be reached, or does not answer such a question.
        """
        try:
            return self._call("GET", path, query, {}, None)
        except LinesRefused as exc:
            raise StoreUnavailable(f"{self._config.url}{path}: {exc.reason}") from exc

    def alive(self) -> None:
        """Asks for any answer at all; raises `StoreUnavailable` when there is none."""
        from influxdb_client.rest import ApiException  # noqa: PLC0415 - loaded with the client

        try:
            self._request("GET", "/health", {}, {}, None)
        except ApiException as exc:
            if not exc.status:
                raise StoreUnavailable(f"{self._config.url}: {exc.reason}") from exc

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def _count_connections(self) -> None:
        pool = self._client.api_client.rest_client.pool_manager.connection_from_url(self._config.url)
        plain: Any = pool.ConnectionCls
        server = self

        class Counted(plain):  # type: ignore[misc]  # which of urllib3's two classes it is depends on the URL
            def connect(self) -> None:
                super().connect()
                server.connections += 1

        pool.ConnectionCls = Counted

    def _call(
        self, method: str, path: str, query: Mapping[str, str], headers: dict[str, str], body: bytes | None
    ) -> str:
        from influxdb_client.rest import ApiException  # noqa: PLC0415 - loaded with the client

        try:
            return self._request(method, path, query, headers, body)
        except ApiException as exc:
            reason = _reason(exc)
            if exc.status in _REFUSED:
                raise LinesRefused(reason) from exc
            if exc.status == _TOO_LARGE:
                raise LinesRefused(reason, too_large=True) from exc
            if exc.status in _DENIED:
                # A token that was renewed on disk is taken up with the next try.
                self._authorization = _authorization(self._config)
                raise StoreUnavailable(f"{self._config.url} denies access: {reason}") from exc
            raise StoreUnavailable(f"{self._config.url}{path}: {reason}") from exc

    def _request(
        self, method: str, path: str, query: Mapping[str, str], headers: dict[str, str], body: bytes | None
    ) -> str:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - loaded with the client

        if self._authorization:
            headers = {**headers, "Authorization": self._authorization}
        rest = self._client.api_client.rest_client
        try:
            answer = rest.request(
                method, f"{self._config.url.rstrip('/')}{path}", query_params=query or None, headers=headers, body=body
            )
        except (HTTPError, OSError, UnicodeDecodeError) as exc:
            raise StoreUnavailable(f"{self._config.url} cannot be reached: {exc}") from exc
        return str(answer.data)


def _authorization(config: InfluxConfig) -> str | None:
    secret: str | None = None
    if config.token_file is not None:
        try:
            secret = config.token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise StoreConfigError(f"token_file cannot be read: {exc}") from exc
        if not secret:
            raise StoreConfigError(f"token_file is empty: {config.token_file}")
    elif config.token_env is not None:
        secret = os.environ.get(config.token_env, "").strip()
        if not secret:
            raise StoreConfigError(f"token_env: the environment has no {config.token_env}")
    if secret is None:
        return None
    if "\n" in secret or "\r" in secret:
        raise StoreConfigError("the token has more than one line")
    if config.username is not None:
        pair = f"{config.username}:{secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return f"Token {secret}"


def _reason(error: Exception) -> str:
    """What the server said, short; never what was sent to it."""
    status = getattr(error, "status", None)
    body = getattr(error, "body", None) or getattr(error, "reason", None) or ""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    wait = (getattr(error, "headers", None) or {}).get("Retry-After")
    later = f" (try again in {wait} s)" if wait else ""
    return f"HTTP {status}: {' '.join(text.split())[:_EXCERPT]}{later}"
