"""frites: the Gaussian copula, corrected for its bias, in bits."""

from __future__ import annotations

import importlib
from typing import Any

REQUIREMENTS = (
    "frites==0.4.6",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "certifi==2026.10.19.post1",
    "cftime==1.6.6.1",
    "charset-normalizer==3.5.3",
    "cloudpickle==3.1.3",
    "contourpy==1.3.3",
    "cycler==0.12.1",
    "decorator==5.3.1",
    "fonttools==4.68.0",
    "h5netcdf==1.8.2",
    "idna==3.20",
    "jinja2==3.1.6",
    "joblib==1.6.0",
    "kiwisolver==1.5.1",
    "lazy-loader==0.6",
    "markupsafe==3.0.4",
    "matplotlib==3.11.2",
    "mne==1.13.2",
    "narwhals==2.29.0",
    "netcdf4==1.7.5.1.post1",
    "packaging==26.4",
    "pandas==3.1.1",
    "pillow==13.0.0",
    "platformdirs==4.14.8",
    "pooch==1.9.0",
    "pyparsing==3.3.3",
    "python-dateutil==4.0.0",
    "requests==2.34.2",
    "scikit-learn==1.9.1",
    "threadpoolctl==3.8.0",
    "tqdm==4.70.1",
    "tzdata==2026.6",
    "urllib3==2.8.0",
    "xarray==2026.9.0",
)
UNIT = "bits"
COLUMNS = "any"
TREATMENT = "sides are transposed, variables before pairs; ranks are its own"


def estimate(x: Any, y: Any) -> float:
    """Return the value of (n, dim_x) and (n, dim_y)."""
    core = importlib.import_module("frites.core")
    return float(core.gcmi_1d_cc(x.T, y.T))
