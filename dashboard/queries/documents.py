"""SQL of lists of documents: filtered, searched, one whole document, and its copies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.queries import CORRECTED, WINDOW, Table, apart, as_corrected, linked, moments, now, windowed
from dashboard.queries.stories import ORDERS as ORDERS_OF_STORIES
from dashboard.queries.stories import PER_HOUR
from dashboard.queries.tallies import N, counts
from dashboard.query import Query, query
from dashboard.scope import Scope
from stream.queries import PUBLISHER, story

COLUMNS = """id, source, kind, publisher, title, leftUTF8(body, 160) AS lead, url, published_at, sentiment,
       sentiment_score, themes, codes, story_id, copy_number, novelty, corrected"""
ORDERS = {
    "newest": "published_at DESC, id",
    "oldest": "published_at, id",
    "positive": "sentiment_score DESC, id",
    "negative": "sentiment_score, id",
}
# What a filter may ask for alone -> the table that lies in the order of it, and its column. A document that is just
# being stored has its rows there before its own, and one whose time is up may have them after: `HELD` and `SPARE`.
IN_ITS_ORDER: dict[str, tuple[Table, str]] = {"themes": ("document_themes", "theme"), "codes": ("mentions", "code")}
HELD = "published_at >= (SELECT published_at FROM documents WHERE NOT is_deleted ORDER BY published_at LIMIT 1)"
SPARE = 100


@dataclass(frozen=True)
class Filter:
    """What documents must be; empty fields don't filter. `text`: words that must all occur in title or body."""

    text: str = ""
    themes: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    tone: str = ""
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    first_only: bool = False

    @property
    def alone(self) -> str:
        """The only thing that is asked for, "themes" or "codes"; "" for others, for more or nothing."""
        return self._only(IN_ITS_ORDER)

    @property
    def tallied(self) -> tuple[str, str] | None:
        """The dimension of `tallies` that counts what is asked for, and the condition on its key; None where no such
        count tells."""
        if self == Filter():
            return "document", ""
        name = self._only(("themes", "codes", "sources"))
        if not name or (name != "sources" and len(getattr(self, name)) > 1):
            return None  # documents of several are in part the same ones
        dimension, values = {
            "themes": ("theme", "themes"),
            "codes": ("security", "codes"),
            "sources": ("source", "source"),
        }[name]
        return dimension, f"key IN {{{values}:Array(String)}}"

    def _only(self, names: Iterable[str]) -> str:
        return next((n for n in names if getattr(self, n) and self == Filter(**{n: getattr(self, n)})), "")


def conditions(filter_: Filter, *, narrowed: bool = True) -> tuple[str, dict[str, Any]]:
    """WHERE terms (each led by AND) and their parameters; `narrowed`: with those that only save reading."""
    words = {f"w{i}": word for i, word in enumerate(filter_.text.split()[:10])}
    values: dict[str, Any] = {**words}
    terms = [f"({_contains('title', w, name)} OR {_contains('body', w, name)})" for name, w in words.items()]
    told = any(map(_indexed, words.values()))  # the text index then says where to look
    narrow = []
    if filter_.themes:
        terms.append("hasAny(themes, {themes:Array(String)})")
        if not told:  # moments of a theme are many: to keep them takes longer than the index saves
            narrow.append(moments("theme", "IN {themes:Array(String)}"))
        values["themes"] = list(filter_.themes)
    if filter_.codes:
        terms.append("hasAny(codes, {codes:Array(String)})")
        narrow.append(moments("code", "IN {codes:Array(String)}"))
        values["codes"] = list(filter_.codes)
    terms += narrow if narrowed else []
    for column, any_of in (("source", filter_.sources), ("kind", filter_.kinds)):
        if any_of:
            terms.append(f"{column} IN {{{column}:Array(String)}}")
            values[column] = list(any_of)
    if filter_.tone:
        terms.append("sentiment = {tone:String}")
        values["tone"] = filter_.tone
    if filter_.first_only:
        terms.append("copy_number = 1")
    return "".join(f"\n  AND {term}" for term in terms), values


def _indexed(word: str) -> bool:
    """Whether the text index tells where the word is: Chinese of two characters, which it is of, and more."""
    return len(word) >= 2 and word.isalnum() and not any(c.isascii() for c in word)


def _contains(column: str, word: str, name: str) -> str:
    """Whether the column holds the word."""
    place = f"{{{name}:String}}"
    if not _indexed(word):
        return f"positionCaseInsensitiveUTF8({column}, {place}) > 0"
    tokens = f"hasAllTokens({column}, {place})"
    return tokens if len(word) == 2 else f"({tokens} AND position({column}, {place}) > 0)"


def listed(scope: Scope, filter_: Filter, order: str = "newest", limit: int = 30) -> Query:
    """Documents that pass the filter, with the passage around the first word that is searched for.

    The first ones are found without their texts, in the order of themes where only themes are asked for. Else, where
    something was corrected, they are found among those of no correction's moment, where a document is as it was stored,
    and those of such a moment are all looked at.
    """
    where, values = conditions(filter_)
    passage = ""
    if filter_.text.split():
        place = "positionCaseInsensitiveUTF8(body, {w0:String})"
        passage = f",\n       substringUTF8(body, toUInt64(greatest(toInt64({place}) - 40, 1)), 140) AS passage"
    if filter_.alone == "themes":
        first = f"""SELECT DISTINCT published_at, document_id AS id, sentiment_score FROM document_themes FINAL
        WHERE theme IN {{themes:Array(String)}} AND {WINDOW} AND {HELD} {apart(scope)}
        ORDER BY {ORDERS[order]} LIMIT {{limit:UInt32}} + {SPARE}"""
    else:
        first = f"""SELECT published_at, id FROM documents FINAL WHERE {WINDOW}{where} {apart(scope)}
        ORDER BY {ORDERS[order]} LIMIT {{limit:UInt32}}"""
    rows = f"""SELECT {COLUMNS}{passage}
FROM {as_corrected("documents", amended=False)}
WHERE (published_at, id) IN (
    SELECT published_at, id FROM (
        {first}
    )
)"""
    if scope.amended():
        rows = f"""SELECT * FROM (
{rows}
UNION ALL
SELECT {COLUMNS}{passage} FROM documents_now WHERE {CORRECTED}{conditions(filter_, narrowed=False)[0]}
)"""
    return query(
        f"""
{rows}
ORDER BY {ORDERS[order]} LIMIT {{limit:UInt32}}""",
        **windowed(scope, limit=limit, **values),
    )


def found(scope: Scope, filter_: Filter) -> Query:
    """How many documents and stories pass the filter: counted, where no tally tells."""
    where, values = conditions(filter_)
    if filter_.tallied:
        dimension, only = filter_.tallied
        counted = counts(scope, dimension, "0", only=only)
        return query(f"SELECT {N['raw']} AS documents, {N['story']} AS stories\nFROM {counted}", **values)
    return query(
        f"""
SELECT uniqExact(id) AS documents, uniqExact({story("id")}) AS stories
FROM {now("documents", scope)}
WHERE {WINDOW}{where}""",
        **windowed(scope, **values),
    )


def sources() -> Query:
    return query("SELECT DISTINCT source FROM documents ORDER BY source")


def place(value: str, by: Literal["id", "story_id"] = "id") -> Query:
    """First and last moment at which a document, or a story's, is or was held (no row: it isn't), and whether there was
    a correction, by the index over ids or stories, which every part of the table is asked for."""
    return query(
        f"""
SELECT min(published_at) AS first, max(published_at) AS last,
       max(published_at IN (SELECT published_at FROM feedback)) AS corrected
FROM documents WHERE {by} = {{value:String}} HAVING count() > 0""",
        value=value,
    )


def whole(scope: Scope, id_: str) -> Query:
    """One document with its text and everything said of it; `scope`: where it lies, as for the next two."""
    return query(
        f"""
SELECT id, source, kind, publisher, authors, title, body, ifNull(text_length, 0) AS text_length, url, published_at,
       fetched_at, analysed_at, stored_at, sentiment,
       sentiment_score, p_negative, p_neutral, p_positive, themes, codes, story_id, copy_number, novelty, page_offsets,
       vendor_securities, vendor_subjects, vendor_tone, model_version, taxonomy_version, securities_version,
       code_version, corrected,
       topic, `partition`, `offset`
FROM {now("documents", scope)}
WHERE {WINDOW} AND id = {{id:String}} LIMIT 1""",
        **windowed(scope, id=id_),
    )


def mentions_of(scope: Scope, id_: str) -> Query:
    return query(
        f"""
SELECT code, name, surface, field, start, `end`, section, page, sentiment, sentiment_score, relevance, confidence,
       evidence, role, corrected
FROM {now("mentions", scope)}
WHERE {WINDOW} AND document_id = {{id:String}} ORDER BY field DESC, start""",
        **windowed(scope, id=id_),
    )


def themes_of(scope: Scope, id_: str) -> Query:
    return query(
        f"""
SELECT theme, score, corrected, evidence.field AS fields, evidence.start AS starts, evidence.`end` AS ends
FROM {now("document_themes", scope)}
WHERE {WINDOW} AND document_id = {{id:String}} ORDER BY score DESC""",
        **windowed(scope, id=id_),
    )


def copies(scope: Scope, story: str) -> Query:
    """The documents of one story, the first one first; `scope`: where they lie."""
    return query(
        f"""
SELECT {COLUMNS}
FROM {now("documents", scope)}
WHERE {WINDOW} AND story_id = {{story:String}}
ORDER BY published_at, copy_number, id LIMIT 200""",
        **windowed(scope, story=story),
    )


def stories(scope: Scope, filter_: Filter, order: str = "spread", limit: int = 30) -> Query:
    """Stories of the window with their first document, spread and tone; copies folded.

    Where only themes or only securities are asked for, the table in their order says which stories are the first ones
    and where their documents are.
    """
    where, values = conditions(filter_)
    by = f"{ORDERS_OF_STORIES[order]}, story LIMIT {{limit:UInt32}}"
    if name := filter_.alone:
        table, column = IN_ITS_ORDER[name]
        test = f"IN {{{name}:Array(String)}}"
        chosen = linked(scope, test) if table == "mentions" else f"{column} {test}"
        where = f"""
  AND (published_at, id) IN (
    SELECT place FROM (
        SELECT {spread("document_id")}, groupUniqArray((published_at, document_id)) AS places
        FROM {now(table, scope)}
        WHERE {chosen} AND {WINDOW} AND {HELD}
        GROUP BY story ORDER BY {by}
    ) ARRAY JOIN places AS place
)"""
    return query(
        f"""
SELECT {spread("id")}, argMin(title, published_at) AS first_title, argMin(id, published_at) AS first_id,
       argMin({PUBLISHER}, published_at) AS first_publisher,
       dateDiff('second', first_at, last_at) / 60 AS minutes,
       avg(sentiment_score) AS tone, groupUniqArrayArray(5)(themes) AS of_themes,
       groupUniqArrayArray(8)(codes) AS of_codes
FROM {now("documents", scope)}
WHERE {WINDOW}{where}
GROUP BY story ORDER BY {by}""",
        **windowed(scope, limit=limit, **values),
    )


def spread(id_: str) -> str:
    """SQL: a story, and how far and fast it spread, in documents grouped by it."""
    return f"""{story(id_)} AS story, uniqExact({id_}) AS copies, uniqExact({PUBLISHER}) AS publishers,
       min(published_at) AS first_at, max(published_at) AS last_at, {PER_HOUR}"""
