"""What the command line says to a person, in German or English: the catalogue's sections `commands` and `phrases`.

`commands` are the command line's own sentences. `phrases` are sentences that other parts say in English, in errors and notes, with
what they are in each language: a person is told them in their own, a log and `--json` keep the English.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from string import Formatter

from gateway.catalogue import LANGUAGES, read_catalogue

VARIABLE = "WERKPULS_LANG"
_VARIABLES = (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")
_NO_LANGUAGE = ("", "C", "POSIX")
_JOINT = re.compile(r"(: |; |\. )")
_NESTED, _ANYTHING = "what", "log"
"""A place of a phrase whose name begins so holds another phrase, or lines of a log; any other a value, without a joint in it."""


def language_of(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language to speak: the last `--lang`, or else the first of these variables that is set.

    A variable that names no language (`C.UTF-8`) leaves it at German; one that is not spoken here makes it English.

    >>> language_of(["score", "--lang", "en"], {}), language_of(["score"], {"LANG": "en_GB.UTF-8"})
    ('en', 'en')
    >>> language_of([], {}), language_of([], {"LANG": "C.UTF-8"}), language_of([], {"LC_ALL": "fr_FR", "LANG": "de_DE"})
    ('de', 'de', 'en')
    """
    given = [after for word, after in itertools.pairwise(argv) if word == "--lang"]
    given += [word.partition("=")[2] for word in argv if word.startswith("--lang=")]
    for wanted in reversed(given):
        if wanted in LANGUAGES:
            return wanted
    value = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    if re.split(r"[.@]", value)[0] in _NO_LANGUAGE:
        return LANGUAGES[0]
    spoken = re.split(r"[_.@]", value)[0].lower()
    return spoken if spoken in LANGUAGES else "en"


class Words:
    """One language.

    Args:
        language: one of `LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        catalogue = read_catalogue(language)
        self.language = language
        self._causes: Mapping[str, Mapping[str, str]] = catalogue["causes"]
        self._decimal: str = catalogue["language"]["decimal"]
        self._texts: Mapping[str, Mapping[str, str]] = catalogue["commands"]
        self._phrases: Mapping[str, str] = catalogue["phrases"]

    def say(self, key: str, **values: object) -> str:
        """A text of the command line, `<section>.<name>`, filled in."""
        section, _, name = key.partition(".")
        return self._texts[section][name].format(**values)

    def number(self, value: float, places: int) -> str:
        """A number with so many decimals.

        >>> Words("de").number(12.345, 1)
        '12,3'
        """
        return f"{value:.{places}f}".replace(".", self._decimal)

    def cause(self, code: str) -> str:
        """What a machine's cause is called, and its code, which files and `--json` have."""
        found = self._causes.get(code)
        return f"{found['name']} ({code})" if found else code

    def told(self, english: object) -> str:
        """What another part says in English, in this language as far as its phrases are known; the rest stays as it is.

        Sentences are taken apart at colons and semicolons: what stands in front is often a file or a place.

        >>> Words("de").told("a.csv: row 7 (line 9): has no rows")
        'a.csv: Zeile 7 (Textzeile 9): hat keine Zeilen'
        """
        text = str(english)
        if self.language == "en":
            return text
        known = self._known(text)
        if known is not None:
            return known
        found = _JOINT.search(text)
        if found is None:
            return text
        head = text[: found.start()]
        return f"{self._known(head) or head}{found[0]}{self.told(text[found.end() :])}"

    def _known(self, text: str) -> str | None:
        for pattern, code in self._patterns:
            found = pattern.fullmatch(text)
            if found is not None:
                values = {
                    name: self.told(value) if name.startswith(_NESTED) else value
                    for name, value in found.groupdict().items()
                }
                return self._phrases[code].format(**values)
        return None

    @cached_property
    def _patterns(self) -> Sequence[tuple[re.Pattern[str], str]]:
        """The English phrases as patterns; those that say most by themselves first."""
        phrases = read_catalogue("en")["phrases"]
        made = sorted(phrases, key=lambda code: -sum(len(part[0]) for part in Formatter().parse(phrases[code])))
        return [(_pattern(phrases[code]), code) for code in made]


def _pattern(phrase: str) -> re.Pattern[str]:
    parts = []
    for literal, name, _, _ in Formatter().parse(phrase):
        parts.append(re.escape(literal))
        if name:
            inside = ".*?" if name.startswith(_ANYTHING) else ".+?" if name.startswith(_NESTED) else "(?:(?!: |; ).)+?"
            parts.append(f"(?P<{name}>{inside})")
    return re.compile("".join(parts), re.DOTALL)
