"""`werkpuls teach`: what is taught, added, refused, and doubted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from support.trays import folder, photo

from werkpuls import cli


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def teach(*words: object) -> int:
    return cli.main(["teach", *map(str, words)])


def test_teaching_adds_and_refuses_too_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = folder(tmp_path / "good", "good", 1), folder(tmp_path / "bad", "broken", 1, seed=9)
    profile = tmp_path / "p.json"
    assert teach(profile, "--good", good) == 0
    said = capsys.readouterr()
    assert "p, 6 good and 0 bad items" in said.out
    assert "only 6 good items" in said.err
    assert teach(profile, "--add", "--bad", bad) == 0
    assert "6 good and 6 bad items" in capsys.readouterr().out
    before = profile.read_bytes()
    (tmp_path / "none").mkdir()
    for words in (("--good", tmp_path / "none"), ("--good", good, "--bad", tmp_path / "none")):
        assert teach(profile, "--replace", *words) == 1
        assert profile.read_bytes() == before
    capsys.readouterr()
    assert teach(profile, "--good", good) == 2
    said = capsys.readouterr().err
    assert "--add" in said
    assert "--replace" in said
    assert profile.read_bytes() == before
    assert teach(profile, "--replace", "--good", good) == 0
    assert "6 good and 0 bad items" in capsys.readouterr().out
    assert teach(tmp_path / "q", "--add", "--good", good) == 1
    assert teach(tmp_path / "q") == 2
    assert "--good is needed" in capsys.readouterr().err
    assert teach(tmp_path / "Brötchen", "--good", good) == 2, "no camera could take that name"
    assert "call it broetchen.json" in capsys.readouterr().err
    assert not (tmp_path / "q.json").exists()


def test_mixed_up_folders_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = folder(tmp_path / "good", "good", 2)
    cv2.imwrite(str(good / "99.jpg"), photo("broken", 77))
    assert teach(tmp_path / "p", "--good", good, "--bad", folder(tmp_path / "bad", "broken", 2, seed=50)) == 0
    assert "look bad" in capsys.readouterr().err


def doubts(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    said = capsys.readouterr()
    (line,) = lines(said.out)
    assert all(doubt["text"] in said.err for doubt in line["doubts"])
    return {doubt["code"]: doubt for doubt in line["doubts"]}


def test_what_was_taught_as_both_or_the_wrong_way_round_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = folder(tmp_path / "good", "good", 4), folder(tmp_path / "bad", "broken", 4, seed=50)
    assert teach(tmp_path / "right", "--good", good, "--bad", bad, "--json") == 0
    assert doubts(capsys) == {}
    assert teach(tmp_path / "twins", "--good", good, "--bad", good, "--json") == 0
    told = doubts(capsys)
    assert told["in_both"]["items"] == 24
    assert told["mixed_up"]["good"] + told["mixed_up"]["bad"] > 24
    assert teach(tmp_path / "swapped", "--good", bad, "--bad", good, "--json") == 0
    assert "swapped" in doubts(capsys)["net"]["text"]
    assert teach(tmp_path / "halves", "--good", bad, "--json") == 0
    assert doubts(capsys)["net"]["good"] > 12
    (good / "00.jpg").rename(tmp_path / "00.jpg")
    (bad / "00.jpg").rename(good / "00.jpg")
    (tmp_path / "00.jpg").rename(bad / "00.jpg")
    assert teach(tmp_path / "mixed", "--good", good, "--bad", bad, "--json") == 0
    assert doubts(capsys)["mixed_up"]["good"] >= 4
