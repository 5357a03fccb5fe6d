"""Templates of the running program."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.daemon import Gateway
from gateway.web import rendering
from gateway.web.rendering import Rendering


def test_a_page_is_made_of_the_templates_that_came_with_the_running_program(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    page.write_text("{{ site }}", encoding="utf-8")
    monkeypatch.setattr(rendering, "TEMPLATES", tmp_path)
    old = Rendering(gateway.services)
    assert old.page("page.html", "/", "de") == "bakery"
    page.write_text("{{ only_the_next_version_knows_this }}", encoding="utf-8")
    assert old.page("page.html", "/", "de") == "bakery"
