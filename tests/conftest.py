"""Tests read English unless they ask for another language; people without a word about it read German."""

from __future__ import annotations

import os

os.environ["WERKPULS_LANG"] = "en"
