#!/usr/bin/env bash
# pyarrow 26.0.1 with pandas 3.1.1: `pyarrow.array` of plain Python floats imports the whole of pandas, to tell whether
# what it was given is pandas'. Where pandas is not installed nothing is imported, so that a short process which writes one
# small Parquet is slower with pandas installed, though it never names it. `Array.from_buffers` does not do it.
#
# Seen: after `import pyarrow` no pandas; after `pyarrow.array([1.0, None])` 294 modules of pandas (0.3 s of processor time); from_buffers: none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pyarrow as pa


def modules() -> int:
    return sum(name.partition(".")[0] == "pandas" for name in sys.modules)


assert modules() == 0, "pyarrow itself imports pandas"
pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(b"\0" * 8)])
assert modules() == 0, "from_buffers imports pandas"
pa.array([1.0, None])
print(f"pyarrow {pa.__version__}: pyarrow.array of floats has imported {modules()} modules of pandas")
assert modules() > 100, modules()
PYTHON
