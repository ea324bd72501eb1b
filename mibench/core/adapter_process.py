"""What runs in a package's environment: an adapter on one sample. It knows the standard library and numpy alone.

Called as ``python adapter_process.py ADAPTER X.npy Y.npy``.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import runpy
import sys

import numpy as np


def main() -> None:
    """Write the adapter's value of a sample as one JSON line; what the package prints goes to stderr."""
    file, *sides = sys.argv[1:]
    random.seed(0)  # where a package adds noise, or divides a sample, it does so in the same way each time
    np.random.seed(0)
    with contextlib.redirect_stdout(sys.stderr):
        adapter = runpy.run_path(file)
        value = float(adapter["estimate"](*map(np.load, sides)))
    sys.stdout.write(json.dumps({"value": value, "unit": adapter["UNIT"]}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # some leave threads behind, which would be waited for


if __name__ == "__main__":
    main()
