-- What each document says of each company that it names, as corrected, from `documents.companies`: mentions lie in the
-- order of securities, so that those of an hour are all over a month's part. In two parts, as in 0016.
CREATE OR REPLACE VIEW companies_now AS
SELECT published_at, id AS document_id, source, publisher, story_id, themes, company.code AS code,
    company.weight AS weight, company.toned AS toned, company.positive AS positive, company.neutral AS neutral,
    company.negative AS negative, false AS corrected
FROM documents FINAL ARRAY JOIN companies AS company
WHERE published_at NOT IN (SELECT published_at FROM feedback)
UNION ALL
WITH
    (said, x) -> if(mapContains(said, toString(x)), said[toString(x)], toString(x)) AS right,
    (said, xs) -> CAST(arrayDistinct(arrayFilter(x -> x != '', arrayMap(x -> right(said, x), xs))), 'Array(LowCardinality(String))') AS right_ones,
    right(f.links, d.company.code) AS named,
    mapContains(f.tones, named) AS retold,
    f.tones[named] AS tone,
    d.company.positive + d.company.neutral + d.company.negative AS all_of_it
SELECT d.published_at, d.id AS document_id, d.source, d.publisher, d.story_id, right_ones(f.topics, d.themes) AS themes,
    toLowCardinality(named) AS code, d.company.weight AS weight,
    if(retold, toFloat32(d.company.weight * transform(tone, ['positive', 'negative'], [1, -1], 0)), d.company.toned) AS toned,
    toUInt16(if(retold, all_of_it * (tone = 'positive'), d.company.positive)) AS positive,
    toUInt16(if(retold, all_of_it * (tone = 'neutral'), d.company.neutral)) AS neutral,
    toUInt16(if(retold, all_of_it * (tone = 'negative'), d.company.negative)) AS negative,
    named != d.company.code OR retold AS corrected
FROM (
    SELECT published_at, id, source, publisher, story_id, themes, company
    FROM documents FINAL ARRAY JOIN companies AS company
    WHERE published_at IN (SELECT published_at FROM feedback)
) AS d
LEFT JOIN feedback_now AS f ON f.document_id = d.id AND f.published_at = d.published_at
WHERE named != '';
