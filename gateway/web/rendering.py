"""Templates to HTML: everything escaped, nothing left undefined, and what every page shows."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.services import Services
from gateway.wording import LANGUAGES

TEMPLATES = Path(__file__).parent / "templates"


class Rendering:
    """The templates, loaded once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            # An update puts the new templates in place while the old program still runs.
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, template: str, path: str, language: str, **values: Any) -> str:
        """A page in a language; `path` is its own, for the choice of another language."""
        services, words = self._services, self._services.wording(language)
        names = {code: services.wording(code).catalogue["language"]["name"] for code in LANGUAGES}
        goods = words.catalogue["goods"]
        return self._environment.get_template(template).render(
            path=path,
            language=language,
            languages=list(names.items()),
            menu_name=goods["menu"],
            menu=[("/", goods["machines"]), ("/goods", goods["title"])],
            site=services.site,
            now=words.clock(services.wall_ns()),
            zone=words.zone,
            common=words.catalogue["page"],
            version=version("werkpuls"),
            **values,
        )
