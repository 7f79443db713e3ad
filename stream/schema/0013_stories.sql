-- Stories as rows, and tone that weighs each story, or each publisher, once.

-- One row a story, counted anew by stream.story_rows from its documents whenever one of them was stored or corrected.
-- The key moves when an earlier copy comes late: the former row is then written once more with is_deleted = 1.
CREATE TABLE IF NOT EXISTS stories
(
    story_id        String CODEC(ZSTD(1)),                                     -- the id of the document that began it here
    first_at        DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    last_at         DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    first_id        String CODEC(ZSTD(1)),                                     -- of the document published first
    first_source    LowCardinality(String),
    first_publisher LowCardinality(String),
    title           String CODEC(ZSTD(3)),
    copies          UInt32,
    publishers      UInt32,
    sources         Array(LowCardinality(String)),
    kinds           Array(LowCardinality(String)),
    themes          Array(LowCardinality(String)),                             -- those of most copies first
    codes           Array(LowCardinality(String)),
    sentiment_score Float64,
    publisher_score Float64,
    positive        UInt32,
    neutral         UInt32,
    negative        UInt32,
    version         UInt64,
    is_deleted      UInt8 DEFAULT 0,
    INDEX by_last last_at TYPE minmax GRANULARITY 1,
    INDEX by_story story_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(first_at)
ORDER BY (first_at, story_id);

-- How far the stories have come, as in `trend_refreshes`.
CREATE TABLE IF NOT EXISTS story_refreshes
(
    reached DateTime64(6, 'Asia/Shanghai'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY tuple();

-- The counts by time get two more means and one more dimension: all of them are counted anew, as after 0008.
DROP TABLE IF EXISTS trends SYNC;

CREATE TABLE IF NOT EXISTS trends
(
    step            LowCardinality(String),  -- minute, hour, session, day
    dimension       LowCardinality(String),  -- theme, security, source, sentiment
    key             LowCardinality(String),  -- the theme, the security's code, the source, the tone
    bucket          DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),  -- when it begins
    session         LowCardinality(String),  -- of step 'session': pre_open, morning, midday, afternoon, after_close, closed
    mentions        UInt32,
    documents       UInt32,
    stories         UInt32,
    publishers      UInt32,
    sentiment_score Float64,  -- mean of the mentions or documents
    story_score     Float64,  -- mean of the stories' means
    publisher_score Float64,  -- mean of the publishers' means
    positive        UInt32,
    neutral         UInt32,
    negative        UInt32,
    expires_on      Date DEFAULT '2149-06-06',  -- minutes are kept for some days only
    version         UInt64,
    is_deleted      UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(bucket)
ORDER BY (step, dimension, key, bucket)
TTL expires_on;

DROP TABLE IF EXISTS trend_refreshes SYNC;

CREATE TABLE IF NOT EXISTS trend_refreshes
(
    reached DateTime64(6, 'Asia/Shanghai'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY tuple();

-- The views as in 0011, with the two means.

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
    round(avg(m.sentiment_score), 4) AS sentiment_score,
    round(arrayAvg(mapValues(avgMap(map(if(story_id = '', document_id, story_id), m.sentiment_score)))), 4) AS story_score,
    round(arrayAvg(mapValues(avgMap(map(toString(if(publisher = '', source, publisher)), m.sentiment_score)))), 4) AS publisher_score,
    countIf(sentiment = 'positive') AS positive,
    countIf(sentiment = 'neutral') AS neutral,
    countIf(sentiment = 'negative') AS negative
FROM mentions_now AS m
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
    round(avg(t.sentiment_score), 4) AS sentiment_score,
    round(arrayAvg(mapValues(avgMap(map(if(story_id = '', document_id, story_id), t.sentiment_score)))), 4) AS story_score,
    round(arrayAvg(mapValues(avgMap(map(toString(if(publisher = '', source, publisher)), t.sentiment_score)))), 4) AS publisher_score,
    countIf(sentiment = 'positive') AS positive,
    countIf(sentiment = 'neutral') AS neutral,
    countIf(sentiment = 'negative') AS negative,
    round(avg(score), 4) AS theme_score
FROM document_themes_now AS t
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY bucket, theme;

-- How much is written in which tone: of all documents, of stories and of publishers, by time step.
CREATE OR REPLACE VIEW sentiment_trend AS
SELECT
    fromUnixTimestamp64Milli(
        intDiv(toUnixTimestamp64Milli(published_at) - 316800000, {minutes:UInt32} * 60000) * {minutes:UInt32} * 60000 + 316800000,
        'Asia/Shanghai') AS bucket,
    sentiment,
    uniqExact(id) AS documents,
    uniqExact(if(story_id = '', id, story_id)) AS stories,
    uniqExact(if(publisher = '', source, publisher)) AS publishers,
    round(avg(d.sentiment_score), 4) AS sentiment_score
FROM documents_now AS d
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY bucket, sentiment;
