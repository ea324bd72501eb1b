"""What runs in a package's environment to probe it: the checks, each found thing written as it comes.

Called as ``python checks_process.py CHECKS ADAPTER FOUND.jsonl checks|time``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Write a JSON object a line to the file named; what the package prints goes to stderr."""
    checks_file, adapter_file, found_file, what = sys.argv[1:]
    checks = runpy.run_path(checks_file, run_name="mibench_checks")
    with contextlib.redirect_stdout(sys.stderr), Path(found_file).open("a", encoding="utf-8") as file:
        adapter = runpy.run_path(adapter_file)
        if what == "time":
            found = iter([checks["seconds_of"](adapter["estimate"])])
        else:
            factor = {"nats": 1.0, "bits": math.log(2)}[adapter["UNIT"]]
            found = checks["findings"](adapter["estimate"], one_column=adapter["COLUMNS"] == "one", factor=factor)
        for one in found:
            file.write(json.dumps(dataclasses.asdict(one)) + "\n")
            file.flush()
    os._exit(0)  # some leave threads behind, which would be waited for


if __name__ == "__main__":
    main()
