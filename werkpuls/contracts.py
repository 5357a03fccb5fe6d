"""The published contracts, generated from the types: `python -m werkpuls.contracts [--check]`.

Writes JSON Schema (2020-12) of every MQTT message, an AsyncAPI 3.0 document of the topics, an OpenAPI 3.1 document of the
HTTP API and JSON Schema of every CloudEvent into `docs/contracts/`. `--check` only compares and exits with 1 when a
file is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway.events import EVENT_TYPES, CloudEvent, schema_uri
from gateway.web.app import ENDPOINTS
from gateway.web.openapi import openapi
from wire import topics
from wire.commands import Command
from wire.messages import (
    SCHEMA_VERSION,
    Ack,
    Condition,
    Finding,
    Health,
    Inspection,
    Reply,
    Status,
    Telemetry,
    TimeBeacon,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DATA = (Telemetry, Condition, Finding, Inspection, Health, Reply)
CONTROL = (Status, Ack, Command, TimeBeacon)
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "contracts"


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """A message's JSON Schema as a document of its own."""
    schema = msgspec.json.schema(kind, ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "$id": f"urn:werkpuls:v{SCHEMA_VERSION}:{slug(kind)}", **schema}


def slug(kind: type[Any]) -> str:
    """`TimeBeacon` → `time_beacon`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("_")


def asyncapi() -> dict[str, Any]:
    """The topics as AsyncAPI 3.0, from the gateway's point of view: it receives data and sends control."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    components: dict[str, Any] = {}
    for kind, address, action, summary in _topics():
        name = slug(kind)
        components[name] = {
            "name": name,
            "contentType": "application/json",
            "summary": (kind.__doc__ or "").strip().splitlines()[0],
            "payload": {"$ref": f"./schema/{name}.json"},
        }
        parameters = {
            part[1:-1]: {
                "description": {"site": "name of the site", "node": "name of the node"}.get(part[1:-1], "daemon")
            }
            for part in address.split("/")
            if part.startswith("{")
        }
        channels[name] = {
            "address": address,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "parameters": parameters,
        }
        operations[f"{action}_{name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": summary,
            "bindings": {"mqtt": {"qos": 0 if kind is TimeBeacon else 1, "retain": kind in (Status, Ack)}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Werkpuls over MQTT",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "Messages between the nodes and the gateway of one site. MQTT 5, QoS 1, persistent sessions, TLS "
            "with a certificate per node.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": components},
    }


def _topics() -> Iterator[tuple[type[Any], str, str, str]]:
    site, node, origin = "{site}", "{node}", "{origin}"
    for kind in DATA:
        yield kind, topics.data(site, node, slug(kind)), "receive", f"A node tells the gateway: {slug(kind)}."
    yield Status, topics.status(site, node, origin), "receive", "A daemon comes or goes (retained, last will)."
    yield Ack, topics.ack(site, node, origin), "send", "The gateway says how far a log is durable."
    yield Command, topics.command(site, node, origin), "send", "The gateway asks a daemon to do something."
    yield TimeBeacon, topics.time(site), "send", "The gateway's clock, every few seconds."


def documents() -> dict[str, Any]:
    """Every document by its file name below `docs/contracts`."""
    made: dict[str, Any] = {f"schema/{slug(kind)}.json": schema_of(kind) for kind in (*DATA, *CONTROL)}
    made["asyncapi.json"] = asyncapi()
    made["openapi.json"] = openapi(ENDPOINTS)
    for name, data in EVENT_TYPES.items():
        made[f"events/{name}.json"] = event_schema(name, data)
    return made


def event_schema(name: str, data: type[Any]) -> dict[str, Any]:
    """A whole event of one type: the CloudEvents envelope with that type's data."""
    replaced = {"type": Literal[name], "data": data}
    fields = [
        (field.name, replaced.get(field.name, field.type))
        if field.default is msgspec.NODEFAULT
        else (field.name, replaced.get(field.name, field.type), field.default)
        for field in msgspec.structs.fields(CloudEvent)
    ]
    event = msgspec.defstruct("CloudEvent", fields, kw_only=True)
    shown = msgspec.json.schema(event)
    shown["$defs"]["CloudEvent"]["description"] = "CloudEvents 1.0, structured content mode"
    return {"$schema": DIALECT, "$id": schema_uri(name), **shown}


def render(document: Any) -> str:
    """The text of one document."""
    return msgspec.json.format(msgspec.json.encode(_plain(document)), indent=2).decode() + "\n"


def _plain(value: Any) -> Any:
    """Whole numbers without a point.

    `Meta(gt=0)` and `Meta(gt=0.0)` are equal, so which of them an `X | None` shows depends on what was imported first: typing keeps
    one object for both.
    """
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def stale(folder: Path) -> list[str]:
    """Names of files that are missing, differ, or are no longer made."""
    wanted = {name: render(document) for name, document in documents().items()}
    there = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(folder: Path) -> None:
    """Writes every document."""
    for name, document in documents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(document), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Writes or checks; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when something is stale")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args(argv)
    if not args.check:
        write(args.folder)
        return 0
    found = stale(args.folder)
    for name in found:
        sys.stderr.write(f"stale: {args.folder / name}; run python -m werkpuls.contracts\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
