"""A command's parser whose own words, from `usage` to what is wrong with an option, come from the catalogue."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn

from werkpuls.words import Words

WRONG_USE = 2


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` in one language.

    Args:
        words: the language.
        options: the base's.
    """

    def __init__(self, *, words: Words, **options: Any) -> None:
        super().__init__(formatter_class=partial(_Formatter, words=words), add_help=False, **options)
        self._words = words
        self._positionals.title = words.say("parser.positionals")
        self._optionals.title = words.say("parser.options")
        self.add_argument("-h", "--help", action="help", help=words.say("parser.help"))

    def error(self, message: str) -> NoReturn:
        """Says what is wrong and ends with 2."""
        self.print_usage(sys.stderr)
        self.exit(WRONG_USE, self._words.say("parser.error", prog=self.prog, what=self._words.told(message)) + "\n")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, *, words: Words) -> None:
        super().__init__(prog)
        self._usage_prefix = words.say("parser.usage")

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, f"{self._usage_prefix} " if prefix is None else prefix)
