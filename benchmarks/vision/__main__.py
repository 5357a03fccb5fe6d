"""One table: pictures that nobody on this project took, the same parameters for all, with floors.

`python -m benchmarks.vision [--data DIR] [--rows NAME,…] [--plots DIR] [--full] [--json]`. Without `--data` pictures are looked
for where WERKPULS_DATA says, else in ../shared/data; what is missing is skipped, and the table says so. Exit code 1 when a
floor is missed.
"""

from __future__ import annotations

import sys

from benchmarks.table import run
from benchmarks.vision.registry import ROWS

if __name__ == "__main__":
    sys.exit(run("python -m benchmarks.vision", __doc__ or "", ROWS))
