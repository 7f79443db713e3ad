-- The tables of truth. Statements end with ";" at the end of a line.
-- Every row carries where it came from in the log (epoch, topic, partition, offset) and what produced it (versions).
-- A replay writes the same keys with a higher version; a row that no longer holds is written once more with is_deleted = 1.
-- Read with FINAL (or through the views), never by counting rows.

CREATE TABLE IF NOT EXISTS documents
(
    id                 String CODEC(ZSTD(1)),
    source             LowCardinality(String),
    kind               LowCardinality(String),
    publisher          LowCardinality(String),
    url                String CODEC(ZSTD(3)),
    title              String CODEC(ZSTD(3)),
    body               String CODEC(ZSTD(3)),
    language           LowCardinality(String),
    authors            Array(String),
    vendor_securities  Array(LowCardinality(String)),
    vendor_subjects    Array(LowCardinality(String)),
    vendor_tone        LowCardinality(String),
    vendor_level       LowCardinality(String),
    published_at       DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    fetched_at         DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    analysed_at        DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    stored_at          DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    story_id           String CODEC(ZSTD(1)),
    novelty            Float32,
    copy_number        UInt32,
    sentiment          LowCardinality(String),
    sentiment_score    Float32,
    p_negative         Float32,
    p_neutral          Float32,
    p_positive         Float32,
    themes             Array(LowCardinality(String)),
    codes              Array(LowCardinality(String)),
    page_offsets       Array(UInt32),
    backfill           Bool,
    model_version      LowCardinality(String),
    taxonomy_version   LowCardinality(String),
    securities_version LowCardinality(String),
    code_version       LowCardinality(String),
    epoch              LowCardinality(String),
    topic              LowCardinality(String),
    `partition`        UInt16,
    `offset`           UInt64,
    version            UInt64,
    is_deleted         UInt8 DEFAULT 0,
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_text body TYPE text(tokenizer = ngrams(2)),
    INDEX by_title title TYPE text(tokenizer = ngrams(2))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(published_at)
ORDER BY (published_at, id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS mentions
(
    code            LowCardinality(String),
    published_at    DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    document_id     String CODEC(ZSTD(1)),
    field           LowCardinality(String),
    start           UInt32,
    `end`           UInt32,
    name            LowCardinality(String),
    surface         LowCardinality(String),
    sentence        String CODEC(ZSTD(3)),
    sentence_start  UInt32,
    section         LowCardinality(String),
    page            UInt16,
    sentiment       LowCardinality(String),
    sentiment_score Float32,
    p_negative      Float32,
    p_neutral       Float32,
    p_positive      Float32,
    relevance       Float32,
    confidence      Float32,
    evidence        LowCardinality(String),
    role            LowCardinality(String),
    themes          Array(LowCardinality(String)),
    source          LowCardinality(String),
    kind            LowCardinality(String),
    publisher       LowCardinality(String),
    story_id        String CODEC(ZSTD(1)),
    copy_number     UInt32,
    version         UInt64,
    is_deleted      UInt8 DEFAULT 0,
    INDEX by_document document_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(published_at)
ORDER BY (code, published_at, document_id, field, start)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS document_themes
(
    theme           LowCardinality(String),
    published_at    DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    document_id     String CODEC(ZSTD(1)),
    score           Float32,
    evidence        Array(Tuple(field LowCardinality(String), start UInt32, `end` UInt32)),
    sentiment       LowCardinality(String),
    sentiment_score Float32,
    codes           Array(LowCardinality(String)),
    source          LowCardinality(String),
    kind            LowCardinality(String),
    publisher       LowCardinality(String),
    story_id        String CODEC(ZSTD(1)),
    copy_number     UInt32,
    version         UInt64,
    is_deleted      UInt8 DEFAULT 0,
    INDEX by_document document_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(published_at)
ORDER BY (theme, published_at, document_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS reports
(
    document_id     String,
    published_at    DateTime64(3, 'Asia/Shanghai'),
    title           String,
    broker          LowCardinality(String),
    report_type     LowCardinality(String),
    industry        LowCardinality(String),
    analysts        Array(Tuple(name String, licence String)),
    rating          LowCardinality(String),
    rating_action   LowCardinality(String),
    previous_rating LowCardinality(String),
    target_price    Nullable(Float64),
    benchmark       String,
    report_date     Nullable(Date),
    period_start    Nullable(Date),
    period_end      Nullable(Date),
    related         Array(String),
    recommendations Array(Tuple(name String, code String, reason String, `group` String)),
    version         UInt64,
    is_deleted      UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(published_at)
ORDER BY (published_at, document_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS dead_letters
(
    document_id String,
    stage       LowCardinality(String),
    reason      String,
    error       LowCardinality(String),
    source      LowCardinality(String),
    epoch       LowCardinality(String),
    topic       LowCardinality(String),
    `partition` UInt16,
    `offset`    UInt64,
    payload     String CODEC(ZSTD(3)),
    failed_at   DateTime64(3, 'Asia/Shanghai'),
    replayed_at Nullable(DateTime64(3, 'Asia/Shanghai')),
    version     UInt64,
    is_deleted  UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (document_id, stage)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS source_health
(
    source       LowCardinality(String),
    checked_at   DateTime64(3, 'Asia/Shanghai'),
    state        LowCardinality(String),
    fetched      UInt32,
    new          UInt32,
    errors       UInt32,
    last_item_at Nullable(DateTime64(3, 'Asia/Shanghai')),
    message      String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(checked_at)
ORDER BY (source, checked_at)
TTL toDateTime(checked_at) + INTERVAL 90 DAY;
