-- One row a firing, however often it was stored: a process killed while it stores a batch leaves an insert on its way,
-- and the next one, which can't see it yet, stores the same firings again, at another moment.
DROP TABLE IF EXISTS alerts_by_time;

CREATE TABLE IF NOT EXISTS alerts_by_id
(
    id                   String,
    subscription_id      LowCardinality(String),
    subscription_version UInt64,
    owner                LowCardinality(String),
    name                 LowCardinality(String),
    kind                 LowCardinality(String),
    group_key            String,
    document_id          String,
    title                String CODEC(ZSTD(3)),
    fired_at             DateTime64(3, 'Asia/Shanghai'),
    outcome              LowCardinality(String),
    due_at               DateTime64(3, 'Asia/Shanghai'),
    message_id           String,
    channels             Array(LowCardinality(String)),  -- who is told ...
    escalate_to          Array(LowCardinality(String)),  -- ... and who as well, unless somebody acknowledged it by then
    escalate_at          Nullable(DateTime64(3, 'Asia/Shanghai')),
    facts                String CODEC(ZSTD(3)),  -- JSON: all that the message says
    INDEX at fired_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fired_at)
ORDER BY id;

INSERT INTO alerts_by_id SELECT * FROM alerts FINAL;
RENAME TABLE alerts TO alerts_by_time, alerts_by_id TO alerts;
DROP TABLE IF EXISTS alerts_by_time;
