"""deploy/gateway.toml shows every option of the types with its default and meaning, and nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

from support.samples import Entry, differences, entries

from gateway.config import GatewayOptions
from gateway.store.config import EmbeddedConfig, InfluxConfig
from wire.options import Option, options

SAMPLE = Path(__file__).parents[2] / "deploy" / "gateway.toml"


def shown() -> list[Entry]:
    # An inline table with a default inside is one option of type table.
    whole = "machine[].outage_hours"
    return [
        entry._replace(path=whole, value={"default": entry.value}) if entry.path == f"{whole}.default" else entry
        for entry in entries(SAMPLE)
    ]


def store_options(kind: type[EmbeddedConfig | InfluxConfig]) -> list[Option]:
    return options(kind, "store.")


def test_the_gateways_own_options_and_the_sample_agree() -> None:
    own = [entry for entry in shown() if not entry.path.startswith("store.")]
    assert differences(own, [option for option in options(GatewayOptions) if option.path != "store"]) == []
    assert len(own) > 60


def test_each_stores_options_and_the_sample_agree() -> None:
    by_type: dict[str, list[Entry]] = {}
    kind = ""
    for entry in shown():
        if entry.path == "store.type":
            kind = str(entry.value)
            by_type[kind] = []
        elif entry.path.startswith("store."):
            by_type[kind].append(entry)
    assert set(by_type) == {"embedded", "influx"}
    for name, config in (("embedded", EmbeddedConfig), ("influx", InfluxConfig)):
        assert differences(by_type[name], store_options(config)) == []


def test_the_sample_is_toml_as_it_stands() -> None:
    tables = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    assert tables["store"] == {"type": "embedded"}
    assert tables["machine"][0]["name"] == "deck-oven"
