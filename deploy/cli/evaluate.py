"""`fengxiang evaluate`: score the models on label sets, beside baselines."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import UserError
from models.analyse import Analyser
from models.encoder import ModelError

LINKING = "linking"  # the set that needs no model


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds labels/, wires/ and reports/. 数据目录")],
    only: Annotated[
        list[str] | None, typer.Option("--set", help="Only this set (linking: the companies); may be repeated.")
    ] = None,
    model: Annotated[str, typer.Option(help="Folder of weights; empty: the setting model.path.")] = "",
    baselines: Annotated[bool, typer.Option(help="Score lexicon, TF-IDF and frozen embeddings too.")] = True,
    write: Annotated[Path | None, typer.Option(help="Write the Markdown report here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots and error samples here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Score themes, tone and linking on the label sets of a data folder. 在标注集上评测"""
    from deploy import settings
    from models.evaluate import linking
    from models.evaluate.predict import GivenLinks
    from models.evaluate.report import html as page
    from models.evaluate.report import markdown, rows
    from models.evaluate.run import evaluate
    from models.evaluate.sets import DataError, load

    if baselines:
        try:
            import sklearn  # noqa: F401
        except ImportError:
            raise UserError(
                "the baselines need scikit-learn: `pip install scikit-learn`, or give --no-baselines"
            ) from None
    chosen = settings.load().model
    weights, links = model or chosen.path, GivenLinks()
    named = [name for name in only or () if name != LINKING]
    try:
        sets = load(data, named) if named or not only else []
        analyser = Analyser.load(weights, chosen.threads, chosen.device, chosen.batch_size, linker=links)
    except (DataError, ModelError) as error:
        raise UserError(str(error)) from error
    now = datetime.now(UTC)
    progress = partial(print, file=sys.stderr)
    report = evaluate(analyser, links, sets, now, compare=baselines, progress=progress)
    if not only or LINKING in only:
        report["linking"] = linking.evaluate(data, weights, chosen.threads, progress=progress)
    if write:
        write.write_text(markdown(report), encoding="utf-8")
    if html:
        html.write_text(page(report), encoding="utf-8")
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        from rich.console import Console
        from rich.table import Table

        header, *lines = rows(report)
        table = Table(*header)
        for line in lines:
            table.add_row(*line)
        Console().print(table)
