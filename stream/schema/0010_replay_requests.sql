-- Dead letters that editors of the dashboard want sent to the stream once more, and what became of it.

-- The dashboard, which may not write to Kafka, asks here; a worker does it and writes the row once more, with the
-- outcome. Meant are the letters of one stage and source whose reasons differ in ids and numbers alone, and that had
-- failed by `until`: one that fails again is not sent again.
CREATE TABLE IF NOT EXISTS replay_requests
(
    id       String,
    stage    LowCardinality(String),
    source   LowCardinality(String),
    reason   String,                         -- ids and numbers as #
    until    DateTime64(3, 'Asia/Shanghai'),
    `by`     LowCardinality(String),
    at       DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    outcome  LowCardinality(String),         -- done, failed; '': not yet
    sent     UInt32,
    skipped  UInt32,                         -- their originals can't be read
    detail   String,                         -- why they were skipped, or why it failed
    done_at  Nullable(DateTime64(3, 'Asia/Shanghai')),
    version  UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id;
