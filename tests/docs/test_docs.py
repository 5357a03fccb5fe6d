"""What the pages say is so: links lead somewhere, commands parse, options and fields are all there."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.catalogue import read_catalogue
from werkpuls.cli import COMMANDS, build_parser
from werkpuls.demo.plan import MACHINES
from werkpuls.demo.proof import Proof
from werkpuls.demo.report import result
from werkpuls.demo.run import FaultRun, Show
from werkpuls.demo.screen import keys_of
from werkpuls.demo.site import Site
from werkpuls.score import Tally
from werkpuls.scoring import COLUMNS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def slug(heading: str) -> str:
    """How a heading is addressed on common forges."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            headings = {slug(line) for line in re.findall(r"(?m)^#+ (.*)$", there.read_text())}
            assert anchor in headings, f"{page.name}: {target}"


def commands(page: Path) -> Iterator[list[str]]:
    """Words of every call of `werkpuls` or of the demo's script in blocks, and in the README's table."""
    text = page.read_text()
    lines = [line for block in re.findall(r"(?ms)^```(?:sh)?\n(.*?)^```", text) for line in block.splitlines()]
    lines += re.findall(r"(?m)^\| .*? \| `([^`]*)`", text)
    for line in lines:
        if "…" in line:
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue  # no shell
        for place, word in enumerate(words):
            if Path(word).name == "werkpuls" and place + 1 < len(words) and words[place + 1] in COMMANDS:
                yield words[place + 1 :]
            elif word.endswith("deploy/demo.sh"):
                yield ["demo", *words[place + 1 :]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_parses(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(page):
        try:
            args = build_parser(words[0]).parse_args(words)
        except SystemExit:
            pytest.fail(f"{page.name}: werkpuls {shlex.join(words)}: {capsys.readouterr().err}")
        assert args.command == words[0]


def test_commands_are_found() -> None:
    found = [words[0] for page in PAGES for words in commands(page)]
    assert set(found) == set(COMMANDS)
    assert len(found) > 15


def blocks(page: Path) -> set[str]:
    return {
        line for block in re.findall(r"(?ms)^```sh\n(.*?)^```", page.read_text()) for line in block.splitlines() if line
    }


@pytest.mark.parametrize("page", ["einstieg.md", "kamera.md", "hilfe.md"])
def test_the_german_pages_install_as_the_english_one(page: str) -> None:
    doctor = {"sudo werkpuls doctor", "sudo werkpuls doctor --pictures bilder"}
    german = {line for line in blocks(ROOT / "docs" / "de" / page) if line.startswith("sudo ")} - doctor
    assert german
    assert german <= blocks(ROOT / "docs" / "install.md")


def test_buttons_that_the_german_pages_name_are_on_the_page() -> None:
    shown = set(_texts(read_catalogue("de")))
    for page in ("alarme.md", "kamera.md"):
        text = " ".join((ROOT / "docs" / "de" / page).read_text().split())
        named = re.findall(r"(?<!\*)\*([A-Z][^*]*[a-zßäöü])\*(?!\*)", text)
        missing = [
            name for name in named if "–" not in name and "…" not in name and not any(name in one for one in shown)
        ]
        assert missing == [], page


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def options(command: str) -> list[argparse.Action]:
    parser = build_parser(command)
    chosen = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return [action for action in chosen.choices[command]._actions if action.dest != "help"]


@pytest.mark.parametrize(
    ("command", "page"),
    [("demo", "demo.md"), ("score", "score.md"), ("doctor", "doctor.md"), ("train", "vision-model.md")],
)
def test_every_option_has_its_line_and_no_other(command: str, page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    told = set(re.findall(r"(?m)^\| `(--[a-z]+)", text))
    assert told == {action.option_strings[-1] for action in options(command) if action.option_strings}


def test_every_field_of_the_demos_result_is_explained(tmp_path: Path) -> None:
    site = Site(tmp_path)
    show = Show(site, [FaultRun("bearing_outer", MACHINES[0], 1.0)], "en")
    outcome = result(show, Proof(), {}, 1.0)
    text = (ROOT / "docs" / "demo.md").read_text()
    table = text.partition("## The result")[2]
    told = set(re.findall(r"`([a-z_]+)`", re.sub(r"(?m)^\| ([^|]*) \|.*$", r"\1", table)))
    assert set(outcome) <= told
    rest = re.findall(r"`([a-z_0-9]+)`", table)
    assert set(outcome["faults"][0]) <= set(rest)
    assert {"resident_bytes", "cpu_s", "cpu_share", "written_bytes"} <= set(rest)
    assert {name for entry in outcome["latency_s"].values() for name in entry} | set(outcome["latency_s"]) <= set(rest)


def test_every_fault_and_key_of_the_demo_is_named(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "demo.md").read_text()
    assert {fault for machine in MACHINES for fault in machine.faults} <= set(re.findall(r"`([a-z_]+)`", text))
    assert all(f"{key.key} " in text.partition("## Keys")[2] for key in keys_of(Site(tmp_path)))


def test_every_column_and_field_of_score_is_explained() -> None:
    told = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "score.md").read_text()))
    assert set(COLUMNS) <= told
    assert set(Tally("x").report()) - {"file"} <= told


FOREIGN = {
    "how it was made": r"(?i)\b(anthro"
    r"pic|cla"
    r"ude|chat"
    r"gpt|this ses"
    r"sion|earlier ses"
    r"sions?|issue #?\d)\b",
    "a path of one machine": r"(?<![\w.])/(work|home/\w+)/|/root/\.py" r"env",
    "a package server": r"https?://[^\s\"')]*(py" r"pi|python" r"hosted|/sim" r"ple\b)",
}


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    return [ROOT / name for name in done.stdout.split("\0") if name]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_tells(what: str) -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in re.finditer(FOREIGN[what], text)]
    assert found == []
