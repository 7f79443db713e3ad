-- What became of texts whose time is over (stream.retention), and what is usual of a source.

-- NULL: the text is as it came. Once its time is over: the characters that it had, where `body` has been cut to an
-- excerpt; 0 where it was short enough to stay whole.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS text_length Nullable(UInt32) AFTER body;

-- As in 0007, with the new column.
CREATE OR REPLACE VIEW documents_now AS
SELECT *, false AS corrected FROM documents FINAL WHERE published_at NOT IN (SELECT published_at FROM feedback_now)
UNION ALL
WITH
    (said, x) -> if(mapContains(said, toString(x)), said[toString(x)], toString(x)) AS right,
    (said, xs) -> CAST(arrayDistinct(arrayFilter(x -> x != '', arrayMap(x -> right(said, x), xs))), 'Array(LowCardinality(String))') AS right_ones,
    mapContains(f.tones, '') AS retold,
    f.tones[''] AS tone
SELECT
    d.* REPLACE (
        toLowCardinality(if(retold, tone, toString(d.sentiment))) AS sentiment,
        if(retold, toFloat32(transform(tone, ['positive', 'negative'], [1, -1], 0)), d.sentiment_score) AS sentiment_score,
        if(retold, toFloat32(tone = 'negative'), d.p_negative) AS p_negative,
        if(retold, toFloat32(tone = 'neutral'), d.p_neutral) AS p_neutral,
        if(retold, toFloat32(tone = 'positive'), d.p_positive) AS p_positive,
        right_ones(f.topics, d.themes) AS themes,
        right_ones(f.links, d.codes) AS codes
    ),
    f.document_id != '' AS corrected
FROM (SELECT * FROM documents FINAL WHERE published_at IN (SELECT published_at FROM feedback_now)) AS d
LEFT JOIN feedback_now AS f ON f.document_id = d.id AND f.published_at = d.published_at;

-- Polls an hour that usually bring something at this time of such a day; NULL: not known yet.
ALTER TABLE source_health ADD COLUMN IF NOT EXISTS usual Nullable(Float32) AFTER message;
