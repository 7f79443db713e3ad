-- What each analysis said when it was made. `documents` keeps the latest one only; this keeps all, without the texts.
CREATE TABLE IF NOT EXISTS analysis_history
(
    published_at       DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    document_id        String CODEC(ZSTD(1)),
    version            UInt64 CODEC(Delta, ZSTD(1)),
    analysed_at        DateTime64(3, 'Asia/Shanghai') CODEC(Delta, ZSTD(1)),
    story_id           String CODEC(ZSTD(1)),
    sentiment          LowCardinality(String),
    sentiment_score    Float32,
    themes             Array(LowCardinality(String)),
    theme_scores       Array(Float32),
    codes              Array(LowCardinality(String)),
    code_scores        Array(Float32),
    model_version      LowCardinality(String),
    taxonomy_version   LowCardinality(String),
    securities_version LowCardinality(String),
    code_version       LowCardinality(String),
    INDEX by_document document_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(published_at)
ORDER BY (published_at, document_id, version)
SETTINGS non_replicated_deduplication_window = 1000;

-- What was known of each document at a moment: the last analysis made until then.
CREATE OR REPLACE VIEW analysis_as_was AS
SELECT
    h.document_id AS document_id,
    argMax(h.published_at, h.version) AS published_at,
    max(h.analysed_at) AS analysed_at,
    argMax(h.story_id, h.version) AS story_id,
    argMax(h.sentiment, h.version) AS sentiment,
    argMax(h.sentiment_score, h.version) AS sentiment_score,
    argMax(h.themes, h.version) AS themes,
    argMax(h.codes, h.version) AS codes,
    argMax(h.model_version, h.version) AS model_version,
    argMax(h.taxonomy_version, h.version) AS taxonomy_version
FROM analysis_history AS h
WHERE h.analysed_at <= {at:DateTime64(3, 'Asia/Shanghai')}
GROUP BY h.document_id;
