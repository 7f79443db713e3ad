-- What readers corrected, and the tables of truth as they read with the corrections.

-- One row a correction, the latest word counts. Taken back: written once more with undone = 1.
CREATE TABLE IF NOT EXISTS feedback
(
    id           String DEFAULT lower(hex(sipHash64(document_id, kind, subject))),
    document_id  String,
    published_at DateTime64(3, 'Asia/Shanghai'),  -- of the document
    kind         LowCardinality(String),  -- link, theme, tone
    subject      String,                  -- the security's code, the theme; of a tone: whom it is toward, '' for the document
    said         String,                  -- what was shown: the company's name, the theme, the tone
    correction   String,                  -- the right code, theme or tone; '': none
    name         String,                  -- of the company with the right code
    `by`         LowCardinality(String),
    at           DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    undone       Bool,
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (document_id, kind, subject);

-- The corrections in force, by document: what was said -> what is right.
CREATE OR REPLACE VIEW feedback_now AS
SELECT
    document_id,
    published_at,
    mapFromArrays(groupArrayIf(subject, kind = 'link'), groupArrayIf(correction, kind = 'link')) AS links,
    mapFromArrays(groupArrayIf(subject, kind = 'link'), groupArrayIf(name, kind = 'link')) AS names,
    mapFromArrays(groupArrayIf(subject, kind = 'theme'), groupArrayIf(correction, kind = 'theme')) AS topics,
    mapFromArrays(groupArrayIf(subject, kind = 'tone'), groupArrayIf(correction, kind = 'tone')) AS tones
FROM feedback FINAL
WHERE NOT undone
GROUP BY document_id, published_at;

-- Each of the next three reads its table in two parts: the moments of which nothing was corrected as they are, at the
-- cost of a look into a small set of times, and the documents of the other moments with what was corrected. Read
-- without FINAL. `corrected` says that a reader changed something of the row.
CREATE OR REPLACE VIEW documents_now AS
SELECT *, false AS corrected FROM documents FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback_now)
UNION ALL
WITH
    (said, x) -> if(mapContains(said, toString(x)), said[toString(x)], toString(x)) AS right,
    (said, xs) -> CAST(arrayDistinct(arrayFilter(x -> x != '', arrayMap(x -> right(said, x), xs))), 'Array(LowCardinality(String))') AS right_ones,
    mapContains(f.tones, '') AS retold,
    f.tones[''] AS tone
SELECT
    d.* REPLACE (
        toLowCardinality(if(retold, tone, toString(d.sentiment))) AS sentiment,
        if(retold, toFloat32(transform(tone, ['positive', 'negative'], [1, -1], 0)), d.sentiment_score) AS sentiment_score,
        if(retold, toFloat32(tone = 'negative'), d.p_negative) AS p_negative,
        if(retold, toFloat32(tone = 'neutral'), d.p_neutral) AS p_neutral,
        if(retold, toFloat32(tone = 'positive'), d.p_positive) AS p_positive,
        right_ones(f.topics, d.themes) AS themes,
        right_ones(f.links, d.codes) AS codes
    ),
    f.document_id != '' AS corrected
FROM (SELECT * FROM documents FINAL WHERE published_at IN (SELECT published_at FROM feedback_now)) AS d
LEFT JOIN feedback_now AS f ON f.document_id = d.id AND f.published_at = d.published_at;

CREATE OR REPLACE VIEW mentions_now AS
SELECT *, false AS corrected FROM mentions FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback_now)
UNION ALL
WITH
    (said, x) -> if(mapContains(said, toString(x)), said[toString(x)], toString(x)) AS right,
    (said, xs) -> CAST(arrayDistinct(arrayFilter(x -> x != '', arrayMap(x -> right(said, x), xs))), 'Array(LowCardinality(String))') AS right_ones,
    right(f.links, m.code) AS company,
    mapContains(f.tones, company) AS retold,
    f.tones[company] AS tone
SELECT
    m.* REPLACE (
        toLowCardinality(company) AS code,
        toLowCardinality(if(mapContains(f.links, toString(m.code)), f.names[toString(m.code)], toString(m.name))) AS name,
        toLowCardinality(if(retold, tone, toString(m.sentiment))) AS sentiment,
        if(retold, toFloat32(transform(tone, ['positive', 'negative'], [1, -1], 0)), m.sentiment_score) AS sentiment_score,
        if(retold, toFloat32(tone = 'negative'), m.p_negative) AS p_negative,
        if(retold, toFloat32(tone = 'neutral'), m.p_neutral) AS p_neutral,
        if(retold, toFloat32(tone = 'positive'), m.p_positive) AS p_positive,
        right_ones(f.topics, m.themes) AS themes
    ),
    company != m.code OR retold AS corrected
FROM (SELECT * FROM mentions FINAL WHERE published_at IN (SELECT published_at FROM feedback_now)) AS m
LEFT JOIN feedback_now AS f ON f.document_id = m.document_id AND f.published_at = m.published_at
WHERE company != '';

CREATE OR REPLACE VIEW document_themes_now AS
SELECT *, false AS corrected FROM document_themes FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback_now)
UNION ALL
WITH
    (said, x) -> if(mapContains(said, toString(x)), said[toString(x)], toString(x)) AS right,
    (said, xs) -> CAST(arrayDistinct(arrayFilter(x -> x != '', arrayMap(x -> right(said, x), xs))), 'Array(LowCardinality(String))') AS right_ones,
    right(f.topics, t.theme) AS topic,
    mapContains(f.tones, '') AS retold,
    f.tones[''] AS tone
SELECT
    t.* REPLACE (
        toLowCardinality(topic) AS theme,
        toLowCardinality(if(retold, tone, toString(t.sentiment))) AS sentiment,
        if(retold, toFloat32(transform(tone, ['positive', 'negative'], [1, -1], 0)), t.sentiment_score) AS sentiment_score,
        right_ones(f.links, t.codes) AS codes
    ),
    topic != t.theme OR retold AS corrected
FROM (SELECT * FROM document_themes FINAL WHERE published_at IN (SELECT published_at FROM feedback_now)) AS t
LEFT JOIN feedback_now AS f ON f.document_id = t.document_id AND f.published_at = t.published_at
WHERE topic != '';
