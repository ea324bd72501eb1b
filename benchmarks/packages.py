"""The tables of docs/packages.md, made from results/packages; ``python -m benchmarks.packages`` writes them.

The rows come from ``mibench packages probe all ksg gaussian-copula --keep results/packages``.
"""

from __future__ import annotations

from pathlib import Path

from mibench.packages.page import tables
from mibench.packages.rows import read_probes

_ROOT = Path(__file__).parents[1]
_BEGIN, _END = "<!-- tables: python -m benchmarks.packages -->\n", "<!-- end of tables -->"


def main() -> None:
    page = _ROOT / "docs" / "packages.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    made = tables(read_probes(_ROOT / "results" / "packages"))
    page.write_text(f"{before}{_BEGIN}\n{made}\n\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
