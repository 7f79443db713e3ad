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


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds labels/, wires/ and reports/. 数据目录")],
    only: Annotated[
        list[str] | None, typer.Option("--set", help="Only this set (linking: the companies); may be repeated. 仅此集")
    ] = None,
    model: Annotated[str, typer.Option(help="Folder of weights; empty: the setting model.path. 模型目录")] = "",
    baselines: Annotated[bool, typer.Option(help="Score lexicon, TF-IDF and frozen embeddings too. 基线")] = True,
    write: Annotated[Path | None, typer.Option(help="Write the Markdown report here. 报告")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with plots and error samples here. 网页")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON. 以 JSON 输出")] = False,
) -> None:
    """Score themes, tone and linking on the label sets of a data folder. 在标注集上评测"""
    from deploy import settings
    from models.evaluate import linking
    from models.evaluate.predict import GivenLinks
    from models.evaluate.report import html as page
    from models.evaluate.report import markdown, rows
    from models.evaluate.run import evaluate
    from models.evaluate.sets import LINKING, REMEDY, DataError, label_sets, load

    for path in filter(None, (write, html)):
        if not path.parent.is_dir():
            raise UserError(f"can't write {path}: there is no folder {path.parent}")
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
        label_sets(data)
        sets = load(data, named) if named or not only else []
        analyser = Analyser.load(weights, chosen.threads, chosen.device, chosen.batch_size, linker=links)
    except (DataError, ModelError) as error:
        raise UserError(str(error)) from error
    now = datetime.now(UTC)
    progress = partial(print, file=sys.stderr)
    report = evaluate(analyser, links, sets, now, compare=baselines, progress=progress)
    if not only or LINKING in only:
        report["linking"] = linking.evaluate(data, weights, chosen.threads, progress=progress)
    if not sets and not report["linking"]["measures"]:
        raise UserError(f"{data} holds none of the texts that are scored: {REMEDY}")
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
    if write:
        _write(write, markdown(report))
    if html:
        _write(html, page(report))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror or error}") from error
