"""Strict configuration: every mistake is named with file, path and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from wire.options import options
from wire.settings import SettingsError, convert, load, nearest, require_file, require_unique


class Bearing(Struct, frozen=True, kw_only=True):
    balls: Annotated[int, Meta(ge=3, le=60, description="number of balls")]
    ball_mm: float


class Machine(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(pattern="^[a-z]+$")]
    interval_s: Annotated[float, Meta(ge=0.05, le=60)] = 1.0
    """How
    often."""
    bearing: Bearing | None = None
    kind: Literal["oven", "mixer"] = "oven"
    log: Path = Path("/var/log")

    def __post_init__(self) -> None:
        if self.name == "forbidden":
            raise ValueError("this name is taken")


class Site(Struct, frozen=True, kw_only=True):
    site: str
    machines: Annotated[list[Machine], Meta(max_length=3)] = msgspec.field(name="machine", default_factory=list)
    free: dict[str, Any] = msgspec.field(default_factory=dict)
    hours: dict[Annotated[str, Meta(pattern="^[a-z]+$")], Annotated[float, Meta(ge=0)]] = {}
    points: Annotated[list[tuple[float, float]], Meta(min_length=2, max_length=2)] | None = None
    area: Annotated[list[int], Meta(max_length=2, title="two numbers, length and width")] = []


def refusal(**tables: object) -> str:
    with pytest.raises(SettingsError) as caught:
        convert({"site": "s", **tables}, Site, where="node.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ({"nam": "a"}, "node.toml: machine 2, nam: unknown option; did you mean name?"),
        ({"interval_ms": 5}, "machine 2, interval_ms: unknown option; wrong unit, this is given in s: interval_s"),
        ({"interval": 5}, "machine 2, interval: unknown option; did you mean interval_s?"),
        ({"zzz": 5}, "machine 2, zzz: unknown option; known here: bearing, interval_s, kind, log, name"),
        ({"interval_s": "3 s"}, "machine 2, interval_s: expected a number from 0.05 to 60 in s; a plain number in s"),
        ({"interval_s": 0.001}, "machine 2, interval_s: expected a number from 0.05 to 60, got 0.001"),
        ({"interval_s": True}, "machine 2, interval_s: expected a number from 0.05 to 60, got true"),
        ({"interval_s": float("nan")}, "machine 2, interval_s: nan is not a number"),
        ({"name": "A b"}, 'machine 2, name: expected text (like ^[a-z]+$), got "A b"'),
        ({"name": "forbidden"}, "machine 2: this name is taken"),
        ({"kind": "ofen"}, 'machine 2, kind: expected one of mixer, oven, got "ofen"'),
        (
            {"bearing": {"balls": 2, "ball_mm": 1}},
            "machine 2, bearing.balls: expected a whole number from 3 to 60, got 2",
        ),
        ({"bearing": {"ball": 9, "ball_mm": 1}}, "machine 2, bearing.ball: unknown option; did you mean ball"),
        ({"bearing": {"balls": 9}}, "machine 2, bearing.ball_mm: must be given"),
        ({"bearing": 3}, "machine 2, bearing: expected a table, got 3"),
        ({"log": 3}, "machine 2, log: expected the path of a file or folder"),
        ({"log": ""}, "machine 2, log: expected the path of a file or folder"),
    ],
)
def test_a_mistake_in_the_second_machine_is_named(machine: dict[str, object], said: str) -> None:
    assert said in refusal(machine=[{"name": "fine"}, {"name": "a", **machine}])


def test_missing_wrong_and_too_many_at_the_top() -> None:
    with pytest.raises(SettingsError, match=r"^node.toml: site: must be given$"):
        convert({}, Site, where="node.toml")
    assert "machine: expected a list of at most 3 entries, each a table, got 3" in refusal(machine=3)
    assert "each a table, got a list of length 4" in refusal(machine=[{"name": "a"}] * 4)
    assert "machine 1: expected a table, got 7" in refusal(machine=[7])
    assert "free.deep 2: inf is not a number" in refusal(free={"deep": [1.0, float("inf")]})


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"hours": {"a": 1.0, "b": "2 h"}}, 'hours.b: expected a number of at least 0, got "2 h"'),
        ({"hours": {"a": 1.0, "b": -1}}, "hours.b: expected a number of at least 0, got -1"),
        ({"hours": {"a": 1.0, "B c": 1}}, 'hours.B c: expected text (like ^[a-z]+$), got "B c"'),
        ({"hours": [1]}, "hours: expected a table, got a list of length 1"),
        ({"points": [0.1, 0.2]}, "points 1: expected a list of 2 entries, each a number, got 0.1"),
        ({"points": [[0.1, "x"], 0.2]}, 'points 1 2: expected a number, got "x"'),
        (
            {"points": [[1, 2]]},
            "points: expected a list of 2 entries, each a list of 2 entries, each a number, got a li",
        ),
        ({"area": 3}, "area: expected two numbers, length and width, got 3"),
    ],
)
def test_a_mistake_inside_a_table_of_free_names_or_a_list_is_named(tables: dict[str, object], said: str) -> None:
    assert f"node.toml: {said}" in refusal(**tables)


def test_a_path_below_a_prefix_is_told_whole() -> None:
    with pytest.raises(SettingsError, match=r"machine 3, sensor 1, balls: expected a whole number"):
        convert({"balls": "x", "ball_mm": 1}, Bearing, where="f", path="machine[2].sensor[0]")


def test_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('site = "s"\n[[machine]]\nname = "a"\nlog = "here/x"\n[[machine]]\nname = "b"\nlog = "/abs"\n')
    site = load(file, Site)
    assert [machine.log for machine in site.machines] == [tmp_path / "here/x", Path("/abs")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"site = 'a'\nsite = 'b'\n", "the same key or table twice?"),
        (b"site = 'a'\n[free]\n[free]\n", "the same key or table twice?"),
        (b"site = 'a'\nx = = 3", "line 2"),
        (b"site = '\xff'", "not UTF-8 text (byte 8)"),
        (b"a = " + b"[" * 5000, "not TOML"),
        (b"#" * 1_000_001, "1000001 bytes; a configuration has at most"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "node.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(file, Site)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none.toml: No such file"):
        load(tmp_path / "none.toml", Site)
    with pytest.raises(SettingsError, match="Is a directory"):
        load(tmp_path, Site)


def test_a_name_given_twice_names_both_places() -> None:
    with pytest.raises(SettingsError, match=r"f: machine 3, name: machine 'a' is already machine 1"):
        require_unique(["a", "b", "a"], where="f", path="machine", what="machine")
    require_unique(["a", "b"], where="f", path="machine", what="machine")


def test_files_must_be_there_and_secrets_secret(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    with pytest.raises(SettingsError, match=r"f: mqtt.key: .*key.pem: No such file"):
        require_file(file, where="f", path="mqtt.key")
    with pytest.raises(SettingsError, match="is not a file"):
        require_file(tmp_path, where="f", path="mqtt.key")
    file.write_text("secret")
    file.chmod(0o644)
    require_file(file, where="f", path="mqtt.ca")
    with pytest.raises(SettingsError, match=r"chmod o-rwx .*key.pem"):
        require_file(file, where="f", path="mqtt.key", secret=True)
    file.chmod(0o640)
    require_file(file, where="f", path="mqtt.key", secret=True)


def test_nearest_has_something_to_say_about_every_word() -> None:
    assert nearest("hosst", ["host", "port"]) == "did you mean host?"
    assert nearest("timeout_ms", ["timeout_s", "other"]) == "wrong unit, this is given in s: timeout_s"
    assert nearest("x", []) == "there are no options here"


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(["site", "machine", "free", "name", "bearing", "interval_s", "log", "kind"]) | st.text(
    max_size=4
)


@given(
    st.dictionaries(KEYS, JSON_LIKE | st.lists(st.dictionaries(KEYS, JSON_LIKE, max_size=4), max_size=3), max_size=4)
)
def test_any_tables_convert_or_are_refused(tables: dict[str, object]) -> None:
    try:
        site = convert(tables, Site, where="f")
    except SettingsError as exc:
        assert str(exc).startswith("f")  # noqa: PT017  # either outcome is right; a refusal must name the file
    else:
        assert isinstance(site.site, str)


def test_options_are_listed_with_type_default_and_meaning() -> None:
    listed = {option.path: option for option in options(Site)}
    assert list(listed) == [
        "site",
        "machine[].name",
        "machine[].interval_s",
        "machine[].bearing.balls",
        "machine[].bearing.ball_mm",
        "machine[].kind",
        "machine[].log",
        "free",
        "hours",
        "points",
        "area",
    ]
    assert listed["machine[].interval_s"].default == 1.0
    assert listed["machine[].interval_s"].doc == "How often."
    assert listed["machine[].interval_s"].type == "a number from 0.05 to 60"
    assert listed["machine[].bearing.balls"].required
    assert listed["machine[].bearing.balls"].doc == "number of balls"
    assert listed["machine[].log"].default == "/var/log"
    assert not listed["free"].required
