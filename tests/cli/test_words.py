"""The command line in both languages: every text is there, every foreign phrase is really said, and no command mixes them."""

from __future__ import annotations

import argparse
import ast
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

import msgspec
import pytest

from edge.camera_options import CameraOptions
from gateway.catalogue import LANGUAGES, read_catalogue
from werkpuls import cli
from werkpuls.words import Words, language_of
from wire.fields import NAME_PATTERN
from wire.options import _PATTERNS, describe

ROOT = Path(__file__).parents[2]
SECTIONS = {language: read_catalogue(language) for language in LANGUAGES}
COMMON = ("parser", "value", "common")


def strings(root: Path, *folders: str) -> Iterator[str]:
    """Every text in the source, also the parts between the places of a formatted one."""
    for folder in folders:
        for path in (root / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}/{name}")
    elif isinstance(value, str):
        yield path, value


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_text_of_the_command_line_is_in_the_catalogue_and_is_used() -> None:
    known = {f"{section}.{name}" for section, texts in SECTIONS["de"]["commands"].items() for name in texts}
    sections = "|".join(SECTIONS["de"]["commands"])
    said = set(strings(ROOT, "werkpuls"))
    used = {text for text in said if re.fullmatch(rf"({sections})\.[a-z_0-9]+", text)}
    used |= {f"{name}.summary" for name in cli.COMMANDS}
    used |= {f"value.{kind}" for kind in ("file", "column", "columns")}  # score takes them in one line
    assert used - {"gateway.toml"} == known


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    german, english = (dict(leaves(SECTIONS[language])) for language in LANGUAGES)
    assert german.keys() == english.keys()
    differing = [path for path in german if places(german[path]) - places(english[path])]
    assert differing == [], "a place that no value comes for"
    own = [path for path in german if path.startswith("/commands")]
    assert [path for path in own if places(german[path]) != places(english[path])] == []


def test_texts_differ_between_the_languages() -> None:
    """What was copied and not translated; a few words are the same in both."""
    german, english = (dict(leaves(SECTIONS[language])) for language in LANGUAGES)
    same = {path for path in german if path.startswith(("/commands", "/phrases")) and german[path] == english[path]}
    assert same <= {"/commands/value/name", "/phrases/note_learning"}


@cache
def spoken() -> str:
    """Everything that the program, its parser and the operating system can say."""
    said = [*strings(ROOT, "edge", "models", "wire", "werkpuls", "gateway")]
    for module in (argparse, tomllib):
        assert module.__file__ is not None
        folder = Path(module.__file__)
        said += strings(folder.parent, ".") if folder.name == "__init__.py" else _of_file(folder)
    said += [os.strerror(number) for number in range(1, 134)]
    said += ["[Errno ", "] ", ": '", "'", "No module named "]  # as OSError and ImportError are written
    return "\0".join(text.replace("%s", "\0").replace("%r", "\0") for text in said)


def _of_file(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%\(\w+\)[sr]", "\0", node.value)


IN_PIECES = {
    "rec_few": ("a;b\n1;2\n3;4\n", "nur 2 Zeilen mit Zahlen; aus weniger als 8 lässt sich nichts lernen"),
    "rec_one": ("a;b\n1;2\n", "nur eine Zeile mit Zahlen; aus weniger als 8 lässt sich nichts lernen"),
    "rec_fields": ("a;b;c\n" + "1;2;3\n" * 30 + "1;2\n" + "1;2;3\n" * 30, "2 Felder, wo die anderen 3 haben"),
    "rec_field": ("a;b;c\n" + "1;2;3\n" * 30 + "1\n" + "1;2;3\n" * 30, "ein Feld, wo die anderen 3 haben"),
}
"""Phrases that the program puts together from parts of sentences: a table that makes it say them, and what is told."""
ELSEWHERE = {code for code in SECTIONS["en"]["phrases"] if code.startswith("kind_")} | {
    "invalid_whole",
    "toml_where",
    "photo_kind_other",
}
"""Such phrases of the parser, of settings and of photos, which other tests here hear."""
Positive = Annotated[float, msgspec.Meta(gt=0)]
LIMITS: tuple[dict[str, Any], ...] = (
    *({"min_length": 4, "max_length": 4}, {"min_length": 1, "max_length": 4}),
    *({"max_length": 4}, {"min_length": 4}),
)
KINDS = (
    *(float, int, str, bool, Path, dict[str, int], Literal["i", "ii"], Positive),
    *(Annotated[float, msgspec.Meta(ge=0, le=1)], Annotated[float, msgspec.Meta(gt=0, le=1)]),
    *(Annotated[float, msgspec.Meta(ge=0)], Annotated[float, msgspec.Meta(le=0)]),
    *(Annotated[int, msgspec.Meta(ge=0, le=1)], Annotated[int, msgspec.Meta(gt=0)], Annotated[int, msgspec.Meta(ge=0)]),
    *(
        Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)],
        Annotated[str, msgspec.Meta(pattern=NAME_PATTERN, min_length=1)],
        Annotated[str, msgspec.Meta(min_length=1, max_length=80)],
        Annotated[str, msgspec.Meta(max_length=80)],
    ),
    *(Annotated[float, msgspec.Meta(ge=0, lt=90)], Annotated[float, msgspec.Meta(gt=0, lt=1)], list[float]),
    *(Annotated[list[str], msgspec.Meta(**limits)] for limits in LIMITS),
    *(Annotated[str, msgspec.Meta(pattern=pattern)] for pattern in _PATTERNS if pattern != NAME_PATTERN),
    next(field.type for field in msgspec.structs.fields(CameraOptions) if field.name == "corners"),
)
"""Of options of settings, as they are told when something else stands there."""


def test_what_an_option_may_be_is_told() -> None:
    words = Words("de")
    said = {words.told(describe(msgspec.inspect.type_info(kind))) for kind in KINDS}
    assert {"eine Zahl von 0 bis 1", "eine ganze Zahl ab 0", "eines von i, ii", "true oder false"} <= said
    assert not [
        text
        for text in said
        if re.search(r"\b(a|at|number|of|small|the|whole|below|each|entries|characters|letters|time)\b", text)
    ]
    kinds = [code for code in SECTIONS["de"]["phrases"] if code.startswith("kind_")]
    assert len(said) == len(kinds) - 1, "what a name may be is told within a text"
    assert words.told('n.toml: machine 1, interval_s: expected a number from 0.05 to 60 in s, got "2 s"') == (
        'n.toml: machine 1, interval_s: erlaubt ist eine Zahl von 0.05 bis 60 in s, da steht "2 s"'
    )
    assert words.told("n.toml: camera 1, white_patch: expected a list of 4 entries, each a number, got a table") == (
        "n.toml: camera 1, white_patch: erlaubt ist eine Liste mit 4 Einträgen, jeder davon eine Zahl, da steht eine Tabelle"
    )


@pytest.mark.parametrize("code", IN_PIECES)
def test_a_phrase_of_pieces_is_really_said(code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, told = IN_PIECES[code]
    (tmp_path / "table.csv").write_text(table)
    cli.main(["score", str(tmp_path / "table.csv"), "--out", str(tmp_path / "out"), "--lang", "de"])
    assert told in capsys.readouterr().err


def test_a_mistake_in_a_file_of_settings_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "node.toml").write_text('site = "bakery"\nnode = pi\n')
    assert cli.main(["edge", "check", "--config", str(tmp_path / "node.toml"), "--lang", "de"]) == 2
    assert (
        "kein gültiges TOML: hier steht kein gültiger Wert; Text gehört in Anführungszeichen (Textzeile 2, Stelle 8)"
        in (capsys.readouterr().err)
    )
    (tmp_path / "node.toml").write_text('site = "bakery"\nnode = "pi"\n[mqt]\n')
    assert cli.main(["edge", "check", "--config", str(tmp_path / "node.toml"), "--lang", "de"]) == 2
    assert "node.toml: mqt: diese Angabe gibt es nicht; gemeint ist wohl mqtt\n" in capsys.readouterr().err


@pytest.mark.parametrize("code", sorted(SECTIONS["en"]["phrases"].keys() - IN_PIECES.keys() - ELSEWHERE))
def test_a_phrase_is_really_said_in_english_somewhere(code: str) -> None:
    """Who rewords a message finds here that its translation is lost."""
    for literal, _, _, _ in Formatter().parse(SECTIONS["en"]["phrases"][code]):
        assert all(part.strip() in spoken() for part in re.split(r"(?<=: )|(?<=; )|(?= and is )", literal)), literal


@pytest.mark.parametrize(
    ("argv", "environment", "language"),
    [
        ((), {}, "de"),
        ((), {"LANG": "en_GB.UTF-8"}, "en"),
        ((), {"LANG": "C.UTF-8"}, "de"),
        ((), {"LANG": "POSIX"}, "de"),
        ((), {"LANG": "de_AT@euro"}, "de"),
        ((), {"LANG": "fr_FR.UTF-8"}, "en"),
        ((), {"LC_MESSAGES": "de_DE", "LANG": "en_GB"}, "de"),
        ((), {"LC_ALL": "en_US", "LC_MESSAGES": "de_DE"}, "en"),
        ((), {"LC_ALL": "", "LANG": "en_US"}, "en"),
        ((), {"WERKPULS_LANG": "de", "LC_ALL": "en_US"}, "de"),
        (("score", "--lang", "en"), {"LANG": "de_DE"}, "en"),
        (("--lang=de", "score"), {"LANG": "en_GB"}, "de"),
        (("score", "--lang", "fr"), {"LANG": "en_GB"}, "en"),
        (("score", "--lang"), {}, "de"),
    ],
)
def test_the_language_is_the_option_s_or_else_the_environment_s(
    argv: tuple[str, ...], environment: dict[str, str], language: str
) -> None:
    assert language_of(argv, environment) == language


def test_foreign_words_are_translated_as_far_as_they_are_known() -> None:
    words = Words("de")
    assert words.told("x: y: 3 bananas") == "x: y: 3 bananas"
    assert words.told("a.csv: no column 'b'; did you mean 'c'?; the columns are: t, 'c'") == (
        "a.csv: keine Spalte 'b'; gemeint ist wohl 'c'; die Spalten heißen: t, 'c'"
    )
    assert words.told("n.toml: not TOML: Invalid value (at line 3, column 9)") == (
        "n.toml: kein gültiges TOML: hier steht kein gültiger Wert; Text gehört in Anführungszeichen "
        "(Textzeile 3, Stelle 9)"
    )
    assert words.told("n.toml: timezone: no such time zone: 'x'; e.g. Europe/Berlin") == (
        "n.toml: timezone: diese Zeitzone gibt es nicht: 'x'; z. B. Europe/Berlin"
    )
    assert Words("en").told("has no rows") == "has no rows"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [None, *cli.COMMANDS])
def test_help_is_in_one_language(name: str | None, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*([name] if name else []), "--help", "--lang", language])
    assert caught.value.code == 0
    shown = plain(capsys.readouterr().out)
    other = next(one for one in LANGUAGES if one != language)
    assert plain(SECTIONS[language]["commands"]["parser"]["usage"]) in shown
    for section in (*COMMON, name) if name else ("parser",):
        for key, text in SECTIONS[language]["commands"][section].items():
            foreign = SECTIONS[other]["commands"][section][key]
            if len(foreign) > 12 and foreign != text:
                assert plain(foreign.partition("{")[0]) not in shown or "{" in foreign, f"{section}.{key}"


def plain(text: str) -> str:
    """Without line breaks, wherever argparse made them."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(
    ("words", "german"),
    [
        ([], "es fehlt: BEFEHL"),
        (["dmeo"], "'dmeo' gibt es nicht; möglich sind: 'demo'"),
        (["--log-level", "LOUD", "certs"], "Angabe --log-level: 'LOUD' gibt es nicht"),
        (["demo", "--fro", "10"], "unbekannte Angabe: --fro 10"),
        (["demo", "--for"], "Angabe --for: ein Wert fehlt"),
        (["demo", "--for", "0"], "Angabe --for: 0 ist nicht größer als 0"),
        (["demo", "--for", "soon"], "'soon' ist keine Zahl"),
        (["demo", "--json=1"], "Angabe --json: nimmt keinen Wert, auch nicht '1'"),
        (["demo", "--recording"], "mindestens ein Wert fehlt"),
        (["demo", "--r", "1"], "--r ist nicht eindeutig; es könnte sein: --recording, --rate"),
        (["demo", "--fault", "flood@3"], "'flood' gibt es nicht; es gibt bearing_outer"),
        (["demo", "--fault", "bearing_outer@9", "--for", "5"], "nach dem Ende"),
        (["demo", "--port", "70000"], "'70000' ist kein Port"),
        (["demo", "--folder", str(ROOT)], "ist nicht leer"),
        (["demo", "--recording", "gone.csv"], "gone.csv: lässt sich nicht lesen: gibt es nicht"),
        (["demo", "--warmup", "x"], "'x' ist keine ganze Zahl"),
        (["edge"], "es fehlt: {sense,watch,check}, --config"),
        (["edge", "sleep", "--config", "x"], "'sleep' gibt es nicht"),
        (["edge", "check", "--config", "gone.toml"], "gone.toml: gibt es nicht"),
        (["gateway", "--check", "--config", "gone.toml"], "gone.toml: gibt es nicht"),
        (["score", "--separator", ";;", "x"], "';;' ist nicht ein einzelnes Zeichen"),
        (["score", "--warmup", "0", "x"], "'0' ist keine Anzahl von Zeilen"),
        (["score", "--machine", "m", "x"], "braucht --node"),
        (["score", "--node", "gone.toml", "x.csv"], "gone.toml: gibt es nicht"),
        (["certs", "--folder", "x"], "nichts zu tun"),
        (["certs", "--folder", "x", "--node", "pi", "--days", "0"], "1 bis 36500"),
        (["teach", "rolls"], "--good fehlt"),
        (["teach", "rolls", "--add", "--replace"], "geht nicht zusammen mit --add"),
        (["teach", "Rolls", "--good", "x"], "besser rolls.json"),
        (["classify", "x", "--corners", "1,2"], "acht Zahlen mit Kommas"),
        (["classify", "x", "--corners", "0,0,0,1,1,1,1,0"], "oben links, oben rechts, unten rechts, unten links"),
        (["calibrate"], "entweder ein Foto, oder --sheet"),
        (["calibrate", "x", "--card", "9"], "'9' ist keine Größe wie 85.6x54"),
        (["calibrate", "x", "--marker-mm", "0"], "'0' ist keine Länge"),
        (["train", "--steps", "0"], "müssen größer als 0 sein"),
        (["train", "--seed", "-1"], "--seed -1 geht nicht"),
        (["doctor", "--root", "gone"], "--root gone: diesen Ordner gibt es nicht"),
        (["doctor", "--seconds", "99"], "'99' liegt nicht zwischen 0.5 und 60 Sekunden"),
        (["doctor", "--config", "gone.toml"], "--config gone.toml: diese Datei gibt es nicht"),
    ],
)
def test_wrong_use_is_told_in_german_and_in_english(
    words: list[str], german: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = {}
    for language in LANGUAGES:
        monkeypatch.setenv("WERKPULS_LANG", language)
        try:
            code = cli.main(words)
        except SystemExit as exc:
            code = exc.code  # type: ignore[assignment]  # argparse exits with numbers
        assert code == 2
        told[language] = capsys.readouterr().err
    assert german in told["de"]
    assert german not in told["en"]
    assert not re.search(
        r"\b(argument|expected|invalid|required|usage|error|the|is|not)\b", told["de"].splitlines()[-1]
    )


def recording(folder: Path) -> Path:
    """Rows that the end of which is another machine."""
    path = folder / "pump.csv"
    rows = [f"{at};{at % 7 + 0.1 * (at % 3) + 40 * (at >= 300)};Anna" for at in range(360)]
    path.write_text("\n".join(["t;power;name", *rows]) + "\n")
    return path


def test_a_recording_is_scored_in_both_languages_and_the_json_in_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = recording(tmp_path), tmp_path / "out.csv"
    told, json = {}, {}
    for language in LANGUAGES:
        assert cli.main(["score", str(path), "--out", str(out), "--lang", language]) == 0
        told[language] = capsys.readouterr().err
        assert cli.main(["score", str(path), "--out", str(out), "--json", "--lang", language]) == 0
        json[language] = re.sub(r'"seconds":[0-9.]+', "", capsys.readouterr().out)
    assert "360 Zeilen, davon 90 zum Lernen und 269 bewertet" in told["de"]
    assert "Spalte 'name' enthält Text und bleibt weg" in told["de"]
    assert "die ersten 90 Messungen galten als normal" in told["de"]
    assert "column 'name' holds text and is ignored" in told["en"]
    assert json["de"] == json["en"]


TABLES = {
    "no time": "a;b\n" + "".join(f"{at % 7};{at % 5}\n" for at in range(60)),
    "no unit, a footer of empty lines": "time;a;\n" + "".join(f"{500 * at};{at % 7};\n" for at in range(60)) + ";;\n",
    "elapsed": "Zeit;a\n" + "".join(f"{at}:00:00;{at % 7}\n" for at in range(60)),
    "minutes": "Zeit;a\n" + "".join(f"{at}:30.5;{at % 7}\n" for at in range(60)),
    "labels": "Nr;a;fail;X;Y\n" + "".join(f"{at};{at % 7};{at // 50};0;{at // 50}\n" for at in range(60)),
    "runs": "unit_nr;cycle;a\n" + "".join(f"{run};{at};{at % 7}\n" for run in (1, 2) for at in range(60)),
    "no names": "".join(f"{run} {at} {at % 7}.5 x\n" for run in (1, 2) for at in range(60)),
    "one value a row": "time_s;sensor;value;quality\n"
    + "".join(f"{at};{name};{at % 7 if at else 'err'};3\n" for at in range(60) for name in ("a", "b"))
    + "60;c;1;3\n61;label;1;3\n",
    "mixed machines": "time_s;device;a;b\n" + "".join(f"{at};{at % 3};{at % 7};{at % 5}\n" for at in range(120)),
    "many machines": "time_s;device;a;b\n" + "".join(f"{at // 40};{at % 40};{at % 7};{at % 5}\n" for at in range(1600)),
    "no time in a row": "Zeit;a\n" + "".join(f"10:{at:02}:00;{at % 7}\n" for at in range(40)) + ";4\nMittel;4\n",
    "JSON": '{"a": 1}',
    "line protocol": "oven,host=pi temp=1.0 1583748000000000000\n",
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_what_is_told_of_a_table_is_told_in_german(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t").write_text(TABLES[table])
    cli.main(["score", str(tmp_path / "t"), "--warmup", "20", "--out", str(tmp_path / "out"), "--lang", "de"])
    told = capsys.readouterr().err.replace(str(tmp_path), "").replace("(row ", "").replace("in row ", "")
    assert len(told.splitlines()) > 1
    assert not re.findall(r"\b(and|are|as|columns?|has|is|it|no|not|of|row|rows|the|time|with)\b", told)


def test_certificates_are_made_and_refused_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for language, said in (("de", "gibt es schon; nichts wird überschrieben"), ("en", "exists already")):
        folder = str(tmp_path / language)
        assert cli.main(["certs", "--folder", folder, "--node", "pi", "--lang", language]) == 0
        assert cli.main(["certs", "--folder", folder, "--node", "pi", "--lang", language]) == 1
        assert said in capsys.readouterr().err


def test_photos_that_cannot_be_used_are_told_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.jpg").write_text("no picture")
    for command in (["classify"], ["calibrate"], ["teach", str(tmp_path / "rolls"), "--good"]):
        for language, said in (("de", "weder JPEG noch PNG, WebP"), ("en", "no JPEG, PNG, WebP")):
            assert cli.main([*command, str(tmp_path / "no.jpg"), "--lang", language]) == 1
            assert said in capsys.readouterr().err
    (tmp_path / "moving.gif").write_bytes(b"GIF89a")
    assert cli.main(["classify", str(tmp_path / "moving.gif"), "--lang", "de"]) == 1
    assert "das Format GIF wird nicht gelesen; als JPEG oder PNG speichern" in capsys.readouterr().err
    assert cli.main(["classify", str(tmp_path / "empty"), "--lang", "de"]) == 1
    assert "keine Fotos in diesem Ordner" in capsys.readouterr().err


@pytest.mark.parametrize(("language", "said"), [("de", "mit 100 % auf A4 drucken"), ("en", "print it at 100 % on A4")])
def test_the_sheet_says_how_to_print_it(
    language: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["calibrate", "--sheet", str(tmp_path / "sheet.pdf"), "--lang", language]) == 0
    assert said in capsys.readouterr().out
