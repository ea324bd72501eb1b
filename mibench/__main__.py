"""``python -m mibench``: the command line."""

import sys

from mibench.cli.app import main

sys.exit(main())
