"""One table: recordings that nobody on this project made, the same parameters for all, floors, baselines and anchors beside.

`python -m benchmarks.condition [--data DIR] [--rows NAME,…] [--plots DIR] [--full] [--json]`. Without `--data` recordings are
looked for where WERKPULS_DATA says, else in ../shared/data; what is missing is skipped, and the table says so. Exit code 1 when a
floor is missed.
"""

from __future__ import annotations

import sys

from benchmarks.condition.registry import ROWS
from benchmarks.table import run

if __name__ == "__main__":
    sys.exit(run("python -m benchmarks.condition", __doc__ or "", ROWS))
