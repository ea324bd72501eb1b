"""``mibench estimate``: mutual information of a user's own arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mibench.cli.options import given_command, refuse_several
from mibench.cli.registration import command


@command("estimate", place=45, purpose="Estimate")
def estimate_command(
    data: Annotated[
        Path, typer.Argument(help="File of x, or of both: .npy, .npz, .csv, .tsv, .parquet, .arrow or .feather.")
    ],
    y: Annotated[Path | None, typer.Argument(help="File of y, row by row the partner of x.")] = None,
    columns_x: Annotated[
        str | None, typer.Option("--x", metavar="NAME,...", help="Columns of x, by name or by number from 0.")
    ] = None,
    columns_y: Annotated[
        str | None, typer.Option("--y", metavar="NAME,...", help="Columns of y, by name or by number from 0.")
    ] = None,
    x_kind: Annotated[str | None, typer.Option(help="continuous or label.  \\[default: by what x holds]")] = None,
    y_kind: Annotated[str | None, typer.Option(help="continuous or label.  \\[default: by what y holds]")] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether CSV and TSV files begin with names.  \\[default: by their first line]",
            show_default=False,
        ),
    ] = None,
    blocks: Annotated[
        int | None, typer.Option(help="Rows that follow each other and belong together, as of a time series.")
    ] = None,
    time: Annotated[
        bool, typer.Option("--time", help="Rows are a time series; blocks are found by how long columns stay alike.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of folds, critics and permutations.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A first look, in less time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("reports/estimate"),
    no_page: Annotated[bool, typer.Option("--no-page", help="Write no page.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Store the rows that were used beside the page; by default none are.")
    ] = False,
) -> None:
    """Estimate the mutual information of your own data: a number, its interval, and whether to believe it."""
    from mibench.core.files import check_output
    from mibench.estimation.files import check_file

    refuse_several({"--no-page": no_page, "--keep": keep})
    refuse_several({"--blocks": blocks is not None, "--time": time})
    for file in filter(None, (data, y)):
        check_file(file, header)
    if not no_page:
        check_output(output, "folder of the page", "--output")

    from mibench.cli.terminal.estimates import estimate_json, show_estimate
    from mibench.cli.terminal.progress import progress_bar
    from mibench.estimation import estimating
    from mibench.estimation.pairs import read_pair
    from mibench.report.estimates import write_estimate_page, write_rows

    given: dict[str, Any] = {
        "columns_x": columns_x,
        "columns_y": columns_y,
        "x_kind": x_kind,
        "y_kind": y_kind,
        "header": header,
        "blocks": blocks,
        "time": time,
    }
    with progress_bar("reading") as progress:
        pair = read_pair(data, y, **given)
        found = estimating.estimate_pair(
            pair, seed=seed, quick=quick, progress=lambda share, what: progress(share, 1.0, what)
        )
    page = None
    if not no_page:
        rows = write_rows(pair, output) if keep else None
        page = write_estimate_page(found, output, given_command(), rows)
    if as_json:
        print(estimate_json(found))
    else:
        show_estimate(found, page)
