"""A card that contradicts itself, or is none, is refused with words that say why."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.cards import card

from models.quality.card import ModelRefused, read_card, write_card


def test_a_card_comes_back_from_its_file(tmp_path: Path) -> None:
    write_card(card(), tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card()
    assert "\n" in (tmp_path / "card.json").read_text().strip(), "people read it too"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"labels": ("good", "good"), "thresholds": {"good": 0.5}}, "labels"),
        ({"labels": ("burnt", "broken"), "thresholds": {"burnt": 0.5, "broken": 0.5}}, "good"),
        ({"thresholds": {"good": 0.5}}, "threshold"),
        ({"thresholds": {"good": 0.5, "broken": 1.5}}, "thresholds"),
        ({"temperature": 0.0}, "temperature"),
        ({"sha256": "abc"}, "sha256"),
        ({"side_px": 100000}, "side_px"),
        ({"views": 9}, "views"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], word: str, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    content = msgspec.to_builtins(card()) | change
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(ModelRefused, match=word):
        read_card(path)


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"{}", b'{"name": 1}', b"\xff\xfe"])
def test_what_is_no_card_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ModelRefused, match="no model card"):
        read_card(tmp_path / "card.json")


def test_an_unknown_field_is_refused_and_a_missing_file_is_named(tmp_path: Path) -> None:
    content = msgspec.to_builtins(card()) | {"colour": "red"}
    (tmp_path / "card.json").write_bytes(msgspec.json.encode(content))
    with pytest.raises(ModelRefused, match="colour"):
        read_card(tmp_path / "card.json")
    with pytest.raises(ModelRefused, match="other"):
        read_card(tmp_path / "other.json")
