-- Counts by hour and by day, kept up by stream.trends: whole buckets are counted anew from the tables of truth, so that
-- a replay, a late document or a re-classification corrects them. Read with FINAL.
CREATE TABLE IF NOT EXISTS trends
(
    step            LowCardinality(String),  -- hour, day
    dimension       LowCardinality(String),  -- theme, security
    key             LowCardinality(String),  -- the theme, the security's code
    bucket          DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    mentions        UInt32,
    documents       UInt32,
    stories         UInt32,
    publishers      UInt32,
    sentiment_score Float64,
    positive        UInt32,
    neutral         UInt32,
    negative        UInt32,
    version         UInt64,
    is_deleted      UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(bucket)
ORDER BY (step, dimension, key, bucket);
