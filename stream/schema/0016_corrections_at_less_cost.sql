-- Tables as corrected, read with less planning: a statement's planning is most of the time of a short window.

-- As in 0012, 0007 and 0011, but the moments that are read with corrections are those of every correction that was
-- ever made, undone ones included, so that finding them takes neither FINAL nor a grouping. What holds is still what
-- `feedback_now` says.
CREATE OR REPLACE VIEW documents_now AS
SELECT *, false AS corrected FROM documents FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback)
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
FROM (SELECT * FROM documents FINAL WHERE published_at IN (SELECT published_at FROM feedback)) AS d
LEFT JOIN feedback_now AS f ON f.document_id = d.id AND f.published_at = d.published_at;

CREATE OR REPLACE VIEW mentions_now AS
SELECT *, false AS corrected FROM mentions FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback)
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
FROM (SELECT * FROM mentions FINAL WHERE published_at IN (SELECT published_at FROM feedback)) AS m
LEFT JOIN feedback_now AS f ON f.document_id = m.document_id AND f.published_at = m.published_at
WHERE company != '';

CREATE OR REPLACE VIEW document_themes_now AS
SELECT *, false AS corrected FROM document_themes FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback)
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
FROM (SELECT * FROM document_themes FINAL WHERE published_at IN (SELECT published_at FROM feedback)) AS t
LEFT JOIN feedback_now AS f ON f.document_id = t.document_id AND f.published_at = t.published_at
WHERE topic != ''
ORDER BY topic = t.theme DESC, t.score DESC
LIMIT 1 BY t.document_id, topic;
