"""The evaluation as Markdown (docs/scores.md), as a table for the terminal, and as one HTML page with plots."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

BASELINES = (("lexicon", "lexicon"), ("tfidf", "TF-IDF"), ("frozen", "frozen + LR"))


def rows(report: dict[str, Any]) -> list[list[str]]:
    """The main table: a header and one row a set."""
    header = ["set", "questions", "metric", "model", "95 %", "calibration error"]
    table = [[*header, *(title for _, title in BASELINES), "bar"]]
    for item in report["sets"]:
        rivals = item.get("baselines", {})
        table.append(
            [
                item["title"],
                str(item["questions"]),
                item["metric"],
                f"{item['score']:.3f}",
                f"{item['low']:.3f}–{item['high']:.3f}",
                f"{item['calibration_error']:.3f}",
                *(f"{rivals[key]:.3f}" if key in rivals else "–" for key, _ in BASELINES),
                f"{item['bar']:g}" if item["bar"] else "–",
            ]
        )
    for item in report.get("linking", {}).get("measures", ()):
        digits = 4 if item["bar"] < 0.01 else 3
        low, high = (f"{item[k]:.{digits}f}" for k in ("low", "high"))
        table.append([item["title"], str(item["questions"]), item["metric"], f"{item['score']:.{digits}f}"])
        table[-1] += [f"{low}–{high}", "–", *("–" for _ in BASELINES), f"{item['bar_sign']}{item['bar']:g}"]
    return table


def markdown_table(table: Sequence[Sequence[str]]) -> str:
    """GitHub's table syntax."""
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def markdown(report: dict[str, Any]) -> str:
    """docs/scores.md. No texts of the sets: they aren't ours to publish."""
    parts = [
        "# Scores",
        f"Model `{report['model']}`, themes `{report['taxonomy']}`, {report['made_at'][:10]}. Made by "
        "`fengxiang evaluate --data DIR --write docs/scores.md`; `--html PAGE` adds plots and error samples.",
        markdown_table(rows(report)),
        "Macro-F1 is the mean over the classes of the set; a set that knows two classes is answered with the likelier "
        "of the two. The interval is a bootstrap over 500 resamplings of the questions. TF-IDF is character 1- to "
        "3-grams with logistic regression, *frozen* the encoder's own embedding with logistic regression, both fitted "
        "on the set's training part; the lexicon is a word list, for themes the cues, and of a user's theme the name. "
        "User themes have no training part: six numbers that all of them share were fitted on these texts. Our own "
        "labels' dev part also fitted the calibration (a dozen numbers and a bias a theme), so its figures are a "
        "little kind; companies are given, so the linker's errors are not in them: it has rows of its own.",
    ]
    for item in report["sets"]:
        parts += [f"## {item['title']}", markdown_table(detail(item))]
    if linking := report.get("linking"):
        parts += ["## Linking", LINKING, markdown_table(linking_detail(linking))]
        if "vendors" in linking:
            parts += ["Ambiguous names on the wires, the most frequent:", markdown_table(ambiguous_names(linking))]
    return "\n\n".join(parts) + "\n"


LINKING = (
    "A company counts once a text, any of its listings will do, and those that are only the source count apart. "
    "Vendors' tags are noisy: only companies whose name or code stands in the text are asked for. "
    "A false alarm is a headline from outside business (education, entertainment, politics, society, sports) with any "
    "mention, be it right."
)
FREQUENT = 40  # ambiguous names shown


def linking_detail(linking: dict[str, Any]) -> list[list[str]]:
    """What the measures of linking are made of."""
    table = [["figure", "value"]]
    if gold := linking.get("gold"):
        table.append(["gold: right / extra / missed", f"{gold['right']} / {gold['extra']} / {gold['missed']}"])
        credits = gold["credits"]
        figures = f"{credits['given']} / {credits['linked']} / {credits['as_source']}"
        table.append(["gold, sources: given / linked / told to be the source", figures])
    for source, recall in linking.get("vendors", {}).get("vendor_recall_by_source", {}).items():
        table.append([f"vendors' tags: {source}", f"{recall:.3f}"])
    for name, rate in linking.get("headlines", {}).get("rate_by_class", {}).items():
        table.append([f"headlines with a mention: {name}", f"{rate:.4f}"])
    if found := linking.get("context"):
        table.append(["left open by the rules: asked / tagged", f"{found['asked']} / {found['companies']}"])
        for row in found["table"]:
            figures = f"precision {row['precision']:.3f}, recall {row['recall']:.3f}"
            table.append([f"the model decides from {row['threshold']:g}", f"{figures}, {row['words']} words taken"])
        state = f"from {found['threshold']:g}" if found["threshold"] is not None else "off: no threshold reaches 0.98"
        table.append(["the model decides", state])
    return table


def ambiguous_names(linking: dict[str, Any]) -> list[list[str]]:
    """How often names that are also words, brands or places were linked, left open, and found where a vendor tags."""
    header = ["name", "level", "linked", "left open", "tagged", "of these linked"]
    rows = sorted(linking["vendors"]["ambiguous"].items(), key=lambda item: -item[1]["linked"] - item[1]["left_open"])
    keys = ("level", "linked", "left_open", "tagged", "tagged_found")
    return [header, *([name, *(str(row[key]) for key in keys)] for name, row in rows[:FREQUENT])]


def _linking(linking: dict[str, Any]) -> str:
    """The page's part on linking, with the errors."""
    parts = ["<h2>Linking</h2>", f"<p>{escape(LINKING)}</p>", _table(linking_detail(linking))]
    if "vendors" in linking:
        parts.append(f"<details><summary>多义名 ambiguous names</summary>{_table(ambiguous_names(linking))}</details>")
    errors = [["set", "error", "name", "code", "text"]]
    for e in linking.get("gold", {}).get("errors", ()):
        errors.append(["gold", e["error"], e["name"], e["code"], e["text"]])
    for e in linking.get("headlines", {}).get("errors", ()):
        names, codes = zip(*e["links"], strict=True)
        errors.append([f"headlines, {e['class']}", "extra", "、".join(names), ", ".join(codes), e["text"]])
    for e in linking.get("vendors", {}).get("missed", ()):
        errors.append(["vendors", ", ".join(e["reasons"]) or "missed", e["name"], e["code"], e["text"]])
    parts.append(f"<details><summary>错例 errors ({len(errors) - 1})</summary>{_table(errors)}</details>")
    return "".join(parts)


def detail(item: dict[str, Any]) -> list[list[str]]:
    """A set's own table: figures of each theme, or the confusion of classes."""
    if item["task"] == "themes":
        table = [["theme", "F1", "precision", "recall", "given"]]
        for name, v in item["per_class"].items():
            table.append([name, *(f"{v[k]:.3f}" for k in ("f1", "precision", "recall")), str(v["given"])])
        return table
    table = [["truth \\ guess", *item["classes"], "F1"]]
    for name, counts in zip(item["classes"], item["confusion"], strict=True):
        table.append([name, *map(str, counts), f"{item['per_class'][name]['f1']:.3f}"])
    return table


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _bars(item: dict[str, Any]) -> str:
    """Model and baselines as horizontal bars, with the bar to clear as a line."""
    rivals = item.get("baselines", {})
    values = [("model", item["score"]), *((title, rivals[key]) for key, title in BASELINES if key in rivals)]
    parts = []
    for i, (name, value) in enumerate(values):
        y, width = 8 + i * 24, value * 300
        parts.append(f'<text x="0" y="{y + 13}">{escape(name)}</text>')
        parts.append(f'<rect x="90" y="{y}" width="{width:.0f}" height="18" class="b{i}"/>')
        parts.append(f'<text x="{96 + width:.0f}" y="{y + 13}">{value:.3f}</text>')
    height = 16 + len(values) * 24
    if item["bar"]:
        x = 90 + item["bar"] * 300
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="2" y2="{height - 4}" class="goal"/>')
    return _svg(440, height, "scores", parts)


def _reliability(item: dict[str, Any]) -> str:
    """How often right against how sure: on the diagonal is calibrated."""
    parts = ['<line x1="20" y1="170" x2="170" y2="20" class="goal"/><path d="M20 20V170H170" class="axis"/>']
    for sure, right, count in item["reliability"]:
        radius = 2 + min(8, count**0.5 / 4)
        title = f"<title>{count}: sure {sure:.2f}, right {right:.2f}</title>"
        parts.append(
            f'<circle cx="{20 + sure * 150:.1f}" cy="{170 - right * 150:.1f}" r="{radius:.1f}">{title}</circle>'
        )
    return _svg(190, 190, "calibration", [*parts, '<text x="60" y="187">how sure</text>'])


def _table(table: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in table[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in table[1:])
    return f"<table><tr>{head}</tr>{body}</table>"


_STYLE = """body{font:14px/1.5 system-ui,sans-serif;max-width:1060px;margin:2em auto;padding:0 1em;color:#1c2430}
table{border-collapse:collapse;margin:.6em 0}td,th{border:1px solid #d5dbe3;padding:3px 8px;text-align:left}
th{background:#f2f5f9}svg{font:12px system-ui;margin-right:2em;vertical-align:top}.b0{fill:#c8102e}
.b1,.b2,.b3{fill:#9aa7b8}.goal{stroke:#1f6feb;stroke-dasharray:4 3}.axis{fill:none;stroke:#667}
circle{fill:#c8102e;opacity:.75}"""


def html(report: dict[str, Any]) -> str:
    """One page, with nothing loaded from elsewhere."""
    about = f"model {report['model']}, themes {report['taxonomy']}, {report['made_at']}"
    parts = [f"<h1>评测 Scores</h1><p>{escape(about)}</p>", _table(rows(report))]
    for item in report["sets"]:
        parts.append(f"<h2>{escape(item['title'])}</h2>{_bars(item)}{_reliability(item)}{_table(detail(item))}")
        if item["errors"]:
            errors = [["text", "truth", "guess"], *([e["text"], e["truth"], e["guess"]] for e in item["errors"])]
            parts.append(f"<details><summary>错例 error samples</summary>{_table(errors)}</details>")
    if linking := report.get("linking"):
        parts.append(_linking(linking))
    head = f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>Scores</title><style>{_STYLE}</style>'
    return head + "".join(parts) + "</html>\n"
