-- Views for people. `from` is included, `to` is not; both are times in Asia/Shanghai: '2026-11-01 00:00:00'.
-- Each counts documents, distinct stories (copies of one text count once) and distinct publishers, over FINAL.

-- How often each security is named, by time step. `minutes` is the step: 60, 1440 for days, 10080 for weeks. Steps are
-- counted from a Monday's midnight in Shanghai (316800000 ms after 1970), so that days and weeks begin there.
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
FROM mentions FINAL
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY bucket, code;

-- How much is written on each theme, by time step.
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
FROM document_themes FINAL
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY bucket, theme;

-- A security's day: one row a security and day, the tone weighted by relevance.
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
FROM mentions FINAL
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY day, code;

-- Securities that are named in the same document.
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
    FROM documents FINAL
    WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
        AND length(codes) BETWEEN 2 AND {max_codes:UInt32}
)
GROUP BY pair;

-- Brokers' ratings that are new or changed.
CREATE OR REPLACE VIEW rating_change AS
SELECT
    published_at,
    document_id,
    broker,
    industry,
    title,
    rating,
    previous_rating,
    rating_action,
    target_price,
    recommendations.code AS codes
FROM reports FINAL
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
    AND (rating_action IN ('上调', '下调', '首次') OR (previous_rating != '' AND previous_rating != rating));
