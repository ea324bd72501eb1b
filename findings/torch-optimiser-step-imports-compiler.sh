#!/usr/bin/env bash
# torch 2.13.0: building an optimiser of `torch.optim` imports torch's compiler (`torch._dynamo` and what it needs, sympy
# among it), though nothing is compiled. A process that trains for a short time pays for it at every start; the fused
# kernel that the optimiser calls, `torch._fused_adam_`, does not need it.
#
# Seen: after `import torch` no torch._dynamo; after `torch.optim.Adam([...])` it is imported, with hundreds of modules.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

import torch


def has_compiler() -> bool:
    return "torch._dynamo" in sys.modules


assert not has_compiler(), "torch itself imports its compiler"
weight = torch.nn.Parameter(torch.zeros(3))
weight.grad = torch.ones(3)
before, start = len(sys.modules), time.process_time()
optimiser = torch.optim.Adam([weight], fused=True)
built = has_compiler()
optimiser.step()
print(
    f"torch {torch.__version__}: the compiler is imported when Adam is built: {built}, after a step: {has_compiler()}; "
    f"{len(sys.modules) - before} modules more, {time.process_time() - start:.1f} s of processor time"
)
assert has_compiler()
PYTHON
