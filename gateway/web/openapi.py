"""The OpenAPI 3.1 document, made from the same table that makes the routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.listener import EVENT_TYPES
from gateway.web.endpoint import JSON, Endpoint, Param
from gateway.web.problems import TITLES, Problem
from gateway.web.views import HealthView

API_VERSION = "1.0.0"
ALWAYS = (400, 401, 403, 429, 500, 503)
"""Any call may be answered so: bad parameters, the guard's refusals, trouble of the gateway's own."""


def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document as JSON-compatible values."""
    types: list[Any] = [Problem, HealthView]
    for endpoint in endpoints:
        types.extend(kind for kind in (endpoint.request, endpoint.response) if kind is not None)
        types.extend(param.type for param in endpoint.params)
    types = list({_key(kind): kind for kind in types}.values())
    shown, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(map(_key, types), shown, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    paths["/api/v1/stream"] = {"get": _stream_operation(schemas)}
    paths["/health"] = {"get": _health_operation(schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Werkpuls gateway",
            "version": API_VERSION,
            "description": "Machines, alerts, charts and deliveries of one site. Errors are problem documents (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic", "description": "Only where a password is configured."}
            },
        },
        "security": [{}, {"password": []}],
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint),
        "parameters": [_parameter(param, schemas) for param in endpoint.params],
        "responses": {
            str(endpoint.status): {
                "description": "OK",
                "content": {
                    endpoint.media: {"schema": schemas[_key(endpoint.response)]} if endpoint.media == JSON else {}
                },
            },
            **{str(status): _problem(status, schemas) for status in sorted({*ALWAYS, *endpoint.problems})},
        },
    }
    if endpoint.request is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[_key(endpoint.request)]}},
        }
        for status in (413, 415, 422):
            operation["responses"][str(status)] = _problem(status, schemas)
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = [part.strip("{}") for part in endpoint.path.split("/") if part and part not in ("api", "v1")]
    return "_".join([endpoint.method.lower(), *words]).replace("-", "_")


def _parameter(param: Param, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = dict(schemas[_key(param.type)])
    if param.default is not None:
        schema["default"] = param.default
    return {
        "name": param.name,
        "in": param.where,
        "required": param.required or param.where == "path",
        "description": param.description,
        "schema": schema,
    }


def _problem(status: int, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": TITLES[status],
        "content": {"application/problem+json": {"schema": schemas[_key(Problem)]}},
    }


def _stream_operation(schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": f"Live events (server-sent events): {', '.join(EVENT_TYPES)}.",
        "description": "`dropped` says how many events this client was too slow for; what it shows may be out of date.",
        "operationId": "get_stream",
        "parameters": [
            {
                "name": "types",
                "in": "query",
                "required": False,
                "description": "only these event types, separated by commas",
                "schema": {"type": "string"},
            }
        ],
        "responses": {
            "200": {"description": "OK", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **{str(status): _problem(status, schemas) for status in ALWAYS},
        },
    }


def _health_operation(schemas: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schemas[_key(HealthView)]}}
    return {
        "summary": "Whether every part works; needs no password.",
        "operationId": "get_health",
        "responses": {
            "200": {"description": "Every part works.", "content": content},
            "503": {"description": "Something is in trouble; the gateway goes on.", "content": content},
        },
        "security": [],
    }
