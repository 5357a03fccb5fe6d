"""The demo's view of its gateway, over the public API only."""

from __future__ import annotations

from typing import Any

import httpx


class GatewayClient:
    """Asks the gateway. Every call returns decoded JSON, or None while the gateway does not answer."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=5.0)

    def get(self, path: str, **params: str | float) -> Any:
        """One GET."""
        try:
            answer = self._client.get(path, params=params)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.is_success else None

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """One POST; the problem document when it is refused."""
        try:
            return self._client.post(path, json=body).json()
        except (httpx.HTTPError, ValueError):
            return None

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()
