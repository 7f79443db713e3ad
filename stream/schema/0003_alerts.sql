-- Alerts: what people subscribed to, what fired, and what became of each message.

-- Every version of every subscription stays; `alert_subscription` shows the current ones.
CREATE TABLE IF NOT EXISTS alert_subscriptions
(
    id            String,
    version       UInt64,  -- microseconds since 1970
    owner         LowCardinality(String),
    name          String,
    definition    String CODEC(ZSTD(3)),  -- JSON
    snoozed_until Nullable(DateTime64(3, 'Asia/Shanghai')),
    changed_by    LowCardinality(String),
    changed_at    DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    is_deleted    UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree
ORDER BY (id, version);

-- Where messages go. `secret` is encrypted with a key that is not in the store.
CREATE TABLE IF NOT EXISTS alert_channels
(
    owner      LowCardinality(String),
    name       String,
    kind       LowCardinality(String),
    secret     String,
    changed_at DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    version    UInt64,
    is_deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (owner, name);

-- Every firing: a rule, what it fired for, and the message that carries it. `outcome`: send (at once), digest,
-- held (quiet hours), cooldown, limited (sent later, together), grouped (its story has been told), snoozed, dry_run.
CREATE TABLE IF NOT EXISTS alerts
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
    facts                String CODEC(ZSTD(3))  -- JSON: all that the message says
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(fired_at)
ORDER BY (fired_at, id);

-- Every attempt to deliver a message. `state`: sent, failed (tried again at `next_at`), gave_up, acknowledged (by a person).
CREATE TABLE IF NOT EXISTS alert_deliveries
(
    message_id      String,
    subscription_id LowCardinality(String),
    channel         LowCardinality(String),
    attempt         UInt16,
    state           LowCardinality(String),
    at              DateTime64(3, 'Asia/Shanghai'),
    next_at         Nullable(DateTime64(3, 'Asia/Shanghai')),
    detail          String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, message_id);

-- Documents that the rules have been tried on: a replay of them notifies nobody.
CREATE TABLE IF NOT EXISTS alert_seen
(
    document_id String,
    stored_at   DateTime64(3, 'Asia/Shanghai'),
    seen_at     DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY stored_at
TTL toDateTime(seen_at) + INTERVAL 8 DAY;

CREATE OR REPLACE VIEW alert_subscription AS
SELECT * FROM (SELECT * FROM alert_subscriptions ORDER BY id, version DESC LIMIT 1 BY id) WHERE NOT is_deleted;
