-- What a document says beside, on the rows that lie in the order of themes and of securities: a theme's companies and
-- other themes, and the securities named together with one, are then read from that theme's or security's rows alone.
-- Of rows stored before this it is not known: the document's tone stands for that towards each company, and other
-- themes and securities come with the next analysis (`fengxiang replay`).
ALTER TABLE document_themes ADD COLUMN IF NOT EXISTS themes Array(LowCardinality(String)) DEFAULT [theme]
AFTER sentiment_score;

-- As `documents.companies` (0017).
ALTER TABLE document_themes ADD COLUMN IF NOT EXISTS companies Array(Tuple(
    code LowCardinality(String), weight Float32, toned Float32, positive UInt16, neutral UInt16, negative UInt16
)) DEFAULT arrayMap(c -> (c, 1, sentiment_score,
    toUInt16(sentiment = 'positive'), toUInt16(sentiment = 'neutral'), toUInt16(sentiment = 'negative')), codes)
AFTER codes;

ALTER TABLE mentions ADD COLUMN IF NOT EXISTS codes Array(LowCardinality(String)) DEFAULT [code] AFTER themes;

-- As in 0016, with the new columns; `linked_code` is the security that the analysis linked, by whose order mentions lie.
CREATE OR REPLACE VIEW mentions_now AS
SELECT *, false AS corrected, code AS linked_code FROM mentions FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback)
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
        right_ones(f.topics, m.themes) AS themes,
        right_ones(f.links, m.codes) AS codes
    ),
    company != m.code OR retold AS corrected,
    m.code AS linked_code
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
    f.tones[''] AS tone,
    x -> x.positive + x.neutral + x.negative AS all_of,
    x -> if(
        mapContains(f.tones, right(f.links, x.code)),
        (right(f.links, x.code), x.weight,
            x.weight * transform(f.tones[right(f.links, x.code)], ['positive', 'negative'], [1, -1], 0),
            all_of(x) * (f.tones[right(f.links, x.code)] = 'positive'),
            all_of(x) * (f.tones[right(f.links, x.code)] = 'neutral'),
            all_of(x) * (f.tones[right(f.links, x.code)] = 'negative')),
        (right(f.links, x.code), x.weight, x.toned, x.positive, x.neutral, x.negative)
    ) AS company_of
SELECT
    t.* REPLACE (
        toLowCardinality(topic) AS theme,
        toLowCardinality(if(retold, tone, toString(t.sentiment))) AS sentiment,
        if(retold, toFloat32(transform(tone, ['positive', 'negative'], [1, -1], 0)), t.sentiment_score) AS sentiment_score,
        right_ones(f.topics, t.themes) AS themes,
        right_ones(f.links, t.codes) AS codes,
        CAST(
            arrayFilter(x -> x.1 != '', arrayMap(x -> company_of(x), t.companies)),
            'Array(Tuple(code LowCardinality(String), weight Float32, toned Float32, positive UInt16, neutral UInt16, negative UInt16))'
        ) AS companies
    ),
    topic != t.theme OR retold AS corrected
FROM (SELECT * FROM document_themes FINAL WHERE published_at IN (SELECT published_at FROM feedback)) AS t
LEFT JOIN feedback_now AS f ON f.document_id = t.document_id AND f.published_at = t.published_at
WHERE topic != ''
ORDER BY topic = t.theme DESC, t.score DESC
LIMIT 1 BY t.document_id, topic;
