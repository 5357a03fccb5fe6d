"""`python -m werkpuls`: the same as the command `werkpuls`."""

import sys

from werkpuls.cli import main

sys.exit(main())
