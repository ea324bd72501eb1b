"""gmm-mi: a mixture of Gaussians whose mutual information is computed, one column a side."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "gmm-mi==0.8.2",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "scikit-learn==1.6.1",
    "chainconsumer==0.34.0",
    "cloudpickle==3.1.3",
    "contourpy==1.3.3",
    "cycler==0.12.1",
    "fonttools==4.68.0",
    "formulaic==1.2.2",
    "iniconfig==2.3.1",
    "interface-meta==2.0.1",
    "joblib==1.6.0",
    "kiwisolver==1.5.1",
    "matplotlib==3.11.2",
    "narwhals==2.29.0",
    "packaging==26.4",
    "pandas==3.1.1",
    "patsy==1.0.3",
    "pillow==13.0.0",
    "pluggy==1.7.0",
    "pygments==2.21.0",
    "pyparsing==3.3.3",
    "pytest==9.2.0",
    "python-dateutil==4.0.0",
    "statsmodels==0.15.0",
    "threadpoolctl==3.8.0",
    "tqdm==4.70.1",
    "typing-extensions==4.16.0",
    "tzdata==2026.6",
    "wrapt==2.5.2",
)
UNIT = "nats"
COLUMNS = "one"
TREATMENT = "of its mean and standard deviation over bootstrapped fits the mean is taken"
BREAKS_WITH = "scikit-learn==1.9.1"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, 1) and (n, 1)."""
    numpy, gmm_mi = importlib.import_module("numpy"), importlib.import_module("gmm_mi.mi")
    mean, _ = gmm_mi.EstimateMI().fit_estimate(numpy.hstack((x, y)))
    return float(mean)
