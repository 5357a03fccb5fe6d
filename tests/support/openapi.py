"""Answers held against the published OpenAPI document, as a client's generator would read it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema

DOCUMENT = Path(__file__).parents[2] / "docs" / "contracts" / "openapi.json"


@cache
def document() -> dict[str, Any]:
    """The published document."""
    found: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return found


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any]]:
    """The template and the operation behind a request; fails when it is not published."""
    for template, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path) and method.lower() in operations:
            return template, operations[method.lower()]
    raise AssertionError(f"{method} {path} is not in the published document")


def check(answer: httpx.Response) -> Any:
    """Status, content type and body are as published; the body."""
    template, operation = operation_of(answer.request.method, answer.request.url.path)
    responses = operation["responses"]
    assert str(answer.status_code) in responses, f"{template}: {answer.status_code} {answer.text[:200]}"
    content = responses[str(answer.status_code)]["content"]
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in content, f"{template}: {kind}"
    body = answer.json()
    schema = {**content[kind]["schema"], "components": document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(body)
    return body


def problem(answer: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    """The answer is a problem document (RFC 9457) with that status, and its detail has those words."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    for word in words:
        assert word in body["detail"], body["detail"]
    return body
