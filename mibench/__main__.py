"""``python -m mibench``: the command line."""

import sys

from mibench.cli import main

sys.exit(main())
