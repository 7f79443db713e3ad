-- Counts by minute, hour, trading session and day, of themes, securities and sources. All of it is counted from the
-- tables of truth, so the former counts are dropped, and stream.trends counts everything anew. Read with FINAL.
DROP TABLE IF EXISTS trends SYNC;

CREATE TABLE IF NOT EXISTS trends
(
    step            LowCardinality(String),  -- minute, hour, session, day
    dimension       LowCardinality(String),  -- theme, security, source
    key             LowCardinality(String),  -- the theme, the security's code, the source
    bucket          DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),  -- when it begins
    session         LowCardinality(String),  -- of step 'session': pre_open, morning, midday, afternoon, after_close, closed
    mentions        UInt32,
    documents       UInt32,
    stories         UInt32,
    publishers      UInt32,
    sentiment_score Float64,
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

-- How far the counts have come, by the store's own clock: what was stored before `reached` is counted.
CREATE TABLE IF NOT EXISTS trend_refreshes
(
    reached DateTime64(6, 'Asia/Shanghai'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY tuple();
