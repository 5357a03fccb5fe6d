"""The published contracts are those of the code, and valid by the rules of their own formats."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from support.messages import Node

from werkpuls.contracts import CONTROL, DATA, FOLDER, main, slug, stale, write
from wire.codec import Codec
from wire.messages import SCHEMA_VERSION

SCHEMAS = sorted([*(FOLDER / "schema").glob("*.json"), *(FOLDER / "events").glob("*.json")])


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_what_is_published_is_what_the_code_says() -> None:
    assert stale(FOLDER) == []
    assert main(["--check"]) == 0


def test_a_stale_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    assert stale(tmp_path) == []
    (tmp_path / "openapi.json").write_text("{}")
    (tmp_path / "schema" / "ack.json").unlink()
    (tmp_path / "schema" / "old.json").write_text("{}")
    assert stale(tmp_path) == ["openapi.json", "schema/ack.json", "schema/old.json"]
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert "openapi.json" in capsys.readouterr().err


def test_openapi_is_valid() -> None:
    document = load(FOLDER / "openapi.json")
    OpenAPIV31SpecValidator(document).validate()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_schema_is_valid(path: Path) -> None:
    schema = load(path)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    defined = set(schema.get("$defs", {}))
    assert {ref.rsplit("/", 1)[1] for ref in refs(schema)} <= defined


def refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(refs, value.values()))
    if isinstance(value, list):
        return set().union(*map(refs, value))
    return set()


def test_a_message_on_the_wire_fits_its_schema_and_nothing_else() -> None:
    node = Node()
    now = time.time_ns()
    made = [node.telemetry(now, {"a": [1.0, None]}), node.condition(now), node.inspection(now, 2, 1), node.health(now)]
    for message in made:
        validator = jsonschema.Draft202012Validator(load(FOLDER / "schema" / f"{slug(type(message))}.json"))
        body = msgspec.json.decode(Codec().encode(message))
        validator.validate(body)
        for wrong in (
            {**body, "extra": 1},
            {**body, "v": 2},
            {**body, "seq": 0},
            {k: body[k] for k in body if k != "node"},
        ):
            assert not validator.is_valid(wrong)


def test_asyncapi_holds_together() -> None:
    document = load(FOLDER / "asyncapi.json")
    assert document["asyncapi"] == "3.0.0"
    assert set(document["info"]) >= {"title", "version"}
    names = {slug(kind) for kind in (*DATA, *CONTROL)}
    assert set(document["channels"]) == set(document["components"]["messages"]) == names
    for name, channel in document["channels"].items():
        assert channel["address"].startswith(f"werkpuls/v{SCHEMA_VERSION}/{{site}}/")
        assert set(channel["parameters"]) == set(re.findall(r"{(\w+)}", channel["address"]))
        for message in channel["messages"].values():
            assert message["$ref"] == f"#/components/messages/{name}"
        assert (FOLDER / document["components"]["messages"][name]["payload"]["$ref"]).is_file()
    actions = {}
    for operation in document["operations"].values():
        name = operation["channel"]["$ref"].rsplit("/", 1)[1]
        assert operation["channel"]["$ref"] == f"#/channels/{name}"
        assert operation["bindings"]["mqtt"]["qos"] in (0, 1)
        actions[name] = operation["action"]
    assert {name for name, action in actions.items() if action == "send"} == {"ack", "command", "time_beacon"}
    assert set(actions) == names
