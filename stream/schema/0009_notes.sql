-- What readers noted on the trend charts of a theme or a security.

-- Every version of every note stays: one that is removed is written once more with removed = 1. `notes_now` shows the
-- others.
CREATE TABLE IF NOT EXISTS notes
(
    id        String,
    version   UInt64,                  -- microseconds since 1970
    dimension LowCardinality(String),  -- theme, security
    key       LowCardinality(String),  -- the theme, the security's code
    moment    DateTime64(3, 'Asia/Shanghai'),  -- that it speaks of; midnight: that day
    text      String,
    `by`      LowCardinality(String),  -- who wrote or removed it
    at        DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3),
    removed   Bool
)
ENGINE = ReplacingMergeTree
ORDER BY (id, version);

CREATE OR REPLACE VIEW notes_now AS
SELECT * FROM (SELECT * FROM notes ORDER BY id, version DESC LIMIT 1 BY id) WHERE NOT removed;
