"""What the processor has, asked of the processor and never of a clock: all workers of a machine must choose alike."""

from __future__ import annotations

import platform
from pathlib import Path

_CPU = Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16"})


def has_bfloat16_units(device: str) -> bool:
    """Return whether a device, ``cpu`` or ``cuda``, multiplies bfloat16 numbers itself; where nobody knows, not."""
    return device != "cpu" or bool(_BFLOAT16 & cpu_flags())


def is_intel() -> bool:
    """Return whether the processor is one of Intel's."""
    return "GenuineIntel" in (proc_field(_CPU, "vendor_id") or platform.processor())


def cpu_flags() -> frozenset[str]:
    """Return the names of the processor's extensions; none where the system does not list them."""
    return frozenset((proc_field(_CPU, "flags") or "").split())


def proc_field(path: Path, name: str) -> str | None:
    """Return the value of the first line ``name : value`` of a file under /proc; None where there is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    values = [value.strip() for key, _, value in (line.partition(":") for line in lines) if key.strip() == name]
    return values[0] if values else None
