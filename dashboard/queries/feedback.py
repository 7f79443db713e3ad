"""SQL of readers' corrections."""

from __future__ import annotations

from dashboard.query import Query, query

ROWS = """
SELECT f.id AS id, f.document_id AS document_id, f.kind AS kind, f.subject AS subject, f.said AS said,
       f.correction AS correction, f.name AS name, f.`by` AS `by`, f.at AS at, f.undone AS undone, d.title AS title
FROM (SELECT * FROM feedback FINAL WHERE {where}) AS f
LEFT JOIN (
    SELECT id, title FROM documents FINAL WHERE published_at IN (SELECT published_at FROM feedback FINAL WHERE {where})
) AS d ON d.id = f.document_id
ORDER BY at DESC, id LIMIT {{limit:UInt32}}"""


def latest(limit: int = 50) -> Query:
    """The newest corrections of all documents, those taken back too."""
    return query(ROWS.format(where="1"), limit=limit)


def of_document(id_: str) -> Query:
    """The corrections of a document that are in force."""
    return query(ROWS.format(where="document_id = {document:String} AND NOT undone"), document=id_, limit=200)


def of_security(code: str) -> Query:
    """The corrections in force of what was said of a company, or linked to it."""
    where = "kind != 'theme' AND (subject = {code:String} OR correction = {code:String}) AND NOT undone"
    return query(ROWS.format(where=where), code=code, limit=50)


def of_theme(theme: str) -> Query:
    """The corrections in force of what was said of a theme."""
    where = "kind = 'theme' AND (subject = {theme:String} OR correction = {theme:String}) AND NOT undone"
    return query(ROWS.format(where=where), theme=theme, limit=50)
