-- Counts that add up, so that a window of any length is read from a few rows, and an index for what was stored lately.

-- One row a step, and theme, security or source, kept up by stream.tallies. Documents and sums of tone add up as they
-- are; distinct stories and publishers are sets that can be united: uniqMerge(stories). Read with FINAL.
CREATE TABLE IF NOT EXISTS tallies
(
    step       LowCardinality(String),  -- minute, hour, day
    dimension  LowCardinality(String),  -- theme, security, source
    bucket     DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),  -- when it begins
    key        LowCardinality(String),  -- the theme, the security's code, the source
    name       LowCardinality(String),  -- of the security, on its newest mention of the step
    documents  UInt32,
    mentions   UInt32,
    stories    AggregateFunction(uniq, UInt64),
    publishers AggregateFunction(uniq, UInt64),
    weight     Float32,  -- of a security: sum of the mentions' relevance; else: documents
    toned      Float32,  -- sum of the tones, so weighted
    positive   UInt32,
    neutral    UInt32,
    negative   UInt32,
    expires_on Date DEFAULT '2149-06-06',  -- minutes are kept for some days only
    version    UInt64,
    is_deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(bucket)
ORDER BY (step, dimension, bucket, key)
TTL expires_on;

-- How far the tallies have come, as in `trend_refreshes`.
CREATE TABLE IF NOT EXISTS tally_refreshes
(
    reached DateTime64(6, 'Asia/Shanghai'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY tuple();

-- What was stored since a moment is asked for every few seconds, the copies of a story with every document.
ALTER TABLE documents ADD INDEX IF NOT EXISTS by_stored stored_at TYPE minmax GRANULARITY 1;

ALTER TABLE documents ADD INDEX IF NOT EXISTS by_story story_id TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE documents MATERIALIZE INDEX by_stored;

ALTER TABLE documents MATERIALIZE INDEX by_story;
