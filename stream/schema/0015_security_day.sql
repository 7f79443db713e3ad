-- Tone toward a security by the day that weighs each story, or each publisher, once, beside the one of all mentions.

CREATE OR REPLACE VIEW security_day AS
SELECT
    toDate(published_at, 'Asia/Shanghai') AS day,
    code,
    anyLast(name) AS name,
    count() AS mentions,
    uniqExact(document_id) AS documents,
    uniqExact(if(story_id = '', document_id, story_id)) AS stories,
    uniqExact(if(publisher = '', source, publisher)) AS publishers,
    uniqExactIf(document_id, field = 'title') AS in_titles,
    round(sum(m.sentiment_score * relevance) / greatest(sum(relevance), 1e-9), 4) AS sentiment_score,
    round(arrayAvg((toned, weight) -> toned / greatest(weight, 1e-9),
        mapValues(sumMap(map(if(story_id = '', document_id, story_id), m.sentiment_score * relevance))),
        mapValues(sumMap(map(if(story_id = '', document_id, story_id), relevance)))), 4) AS story_score,
    round(arrayAvg((toned, weight) -> toned / greatest(weight, 1e-9),
        mapValues(sumMap(map(toString(if(publisher = '', source, publisher)), m.sentiment_score * relevance))),
        mapValues(sumMap(map(toString(if(publisher = '', source, publisher)), relevance)))), 4) AS publisher_score,
    uniqExactIf(document_id, sentiment = 'positive') AS positive,
    uniqExactIf(document_id, sentiment = 'negative') AS negative,
    arraySort(groupUniqArrayArray(themes)) AS themes
FROM mentions_now AS m
WHERE published_at >= {from:DateTime64(3, 'Asia/Shanghai')} AND published_at < {to:DateTime64(3, 'Asia/Shanghai')}
GROUP BY day, code;
