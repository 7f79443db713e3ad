-- Corrections count everywhere, and once.

-- As in 0007, but a theme corrected to one that the document has already is one row, not two: the one that was said.
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
WHERE topic != ''
ORDER BY topic = t.theme DESC, t.score DESC
LIMIT 1 BY t.document_id, topic;

-- The views for people count what readers corrected as corrected: as in 0002, over the tables as they read now.

CREATE OR REPLACE VIEW mention_trend AS
SELECT
    fromUnixTimestamp64Milli(
        intDiv(toUnixTimestamp64Milli(published_at) - 316800000, {minutes:UInt32} * 60000) * {minutes:UInt32} * 60000 + 316800000,
        'Asia/Shanghai') AS bucket,
    code,
    anyLast(name) AS name,
    count() AS mentions,
    uniqExact(document_id) AS documents,
    uniqExact(if(story_id = '', document_id, story_id)) AS stories,
    uniqExact(if(publisher = '', source, publisher)) AS publishers,
    round(avg(sentiment_score), 4) AS sentiment_score,
    countIf(sentiment = 'positive') AS positive,
    countIf(sentiment = 'neutral') AS neutral,
    countIf(sentiment = 'negative') AS negative
FROM mentions_now
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY bucket, code;

CREATE OR REPLACE VIEW theme_trend AS
SELECT
    fromUnixTimestamp64Milli(
        intDiv(toUnixTimestamp64Milli(published_at) - 316800000, {minutes:UInt32} * 60000) * {minutes:UInt32} * 60000 + 316800000,
        'Asia/Shanghai') AS bucket,
    theme,
    uniqExact(document_id) AS documents,
    uniqExact(if(story_id = '', document_id, story_id)) AS stories,
    uniqExact(if(publisher = '', source, publisher)) AS publishers,
    round(avg(sentiment_score), 4) AS sentiment_score,
    countIf(sentiment = 'positive') AS positive,
    countIf(sentiment = 'neutral') AS neutral,
    countIf(sentiment = 'negative') AS negative,
    round(avg(score), 4) AS theme_score
FROM document_themes_now
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY bucket, theme;

CREATE OR REPLACE VIEW security_day AS
SELECT
    toDate(published_at, 'Asia/Shanghai') AS day,
    code,
    anyLast(name) AS name,
    count() AS mentions,
    uniqExact(document_id) AS documents,
    uniqExact(if(story_id = '', document_id, story_id)) AS stories,
    uniqExact(if(publisher = '', source, publisher)) AS publishers,
    uniqExactIf(document_id, field = 'title') AS in_titles,
    round(sum(sentiment_score * relevance) / greatest(sum(relevance), 1e-9), 4) AS sentiment_score,
    uniqExactIf(document_id, sentiment = 'positive') AS positive,
    uniqExactIf(document_id, sentiment = 'negative') AS negative,
    arraySort(groupUniqArrayArray(themes)) AS themes
FROM mentions_now
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY day, code;

CREATE OR REPLACE VIEW comention AS
SELECT
    pair.1 AS code_a,
    pair.2 AS code_b,
    count() AS documents,
    uniqExact(story) AS stories,
    uniqExact(publisher) AS publishers
FROM
(
    SELECT
        arrayJoin(arrayFlatten(arrayMap((a, i) -> arrayMap(b -> (a, b), arraySlice(codes, i + 1)), codes, arrayEnumerate(codes)))) AS pair,
        if(story_id = '', id, story_id) AS story,
        if(publisher = '', source, publisher) AS publisher
    FROM documents_now
    WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
        AND length(codes) BETWEEN 2 AND {max_codes:UInt32}
)
GROUP BY pair;
