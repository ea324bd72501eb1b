#!/usr/bin/env bash
# infopy-estimators 0.1.3: `get_mi_estimator` gives an estimator by the kinds of x and y, and what it estimates is in bits
# where both are "discrete" and in nats for every other pair of kinds. Its description on PyPI names no unit. One column
# of labels and its copy have 3.3 as "discrete", 2.3 as "mixed" and as "continuous" beside "discrete": features that are
# ranked by their information with a label, some of them discrete, are ranked in two units.
#
# Seen: ten labels, y = x: discrete 3.316 (log2 10 = 3.322), mixed 2.303, continuous and discrete 2.303 (log 10 = 2.303).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    infopy-estimators==0.1.3 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version
from math import log, log2

import numpy as np
from infopy.estimators import get_mi_estimator

labels = np.random.default_rng(0).integers(0, 10, size=1000)
print(f"infopy-estimators {version('infopy-estimators')}; ten labels have {log2(10):.3f} bits, {log(10):.3f} nats")
found = {}
for kinds in (("discrete", "discrete"), ("mixed", "mixed"), ("continuous", "discrete")):
    found[kinds] = get_mi_estimator(*kinds).estimate(labels.astype(float), labels)
    print(f"{' and '.join(kinds)}: {found[kinds]:.3f}")
bits = found.pop(("discrete", "discrete"))
assert abs(bits - log2(10)) < 0.05, "discrete labels are no longer in bits"
assert all(abs(value - log(10)) < 0.05 for value in found.values()), "the others are no longer in nats"
PYTHON
