-- How many documents each partition of the log and each version of model and data gave, and how many mentions there
-- are, by the day: of a hundred million rows nobody counts that anew while a page waits.

-- Of dimension `log` the lowest and highest offset, of `versions` the first and last moment of analysis (milliseconds
-- since 1970), else 0.
ALTER TABLE tallies ADD COLUMN IF NOT EXISTS lowest UInt64 AFTER negative;

ALTER TABLE tallies ADD COLUMN IF NOT EXISTS highest UInt64 AFTER lowest;

-- Everything is to be counted once more (stream.tallies), above what has been.
INSERT INTO tally_refreshes (reached, version)
SELECT toDateTime64(0, 6, 'Asia/Shanghai'), max(version) + 1 FROM tally_refreshes HAVING count() > 0;

-- What a document says of each company that it names, by code: the relevance of its mentions added up, their tones
-- weighed by it, and how many are of which tone. Mentions lie in the order of securities, so those of an hour are all
-- over a month's part; documents lie in the order of time. Of documents stored before this the column is not known:
-- their tone stands for it.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS companies Array(Tuple(
    code LowCardinality(String), weight Float32, toned Float32, positive UInt16, neutral UInt16, negative UInt16
)) DEFAULT arrayMap(c -> (c, 1, sentiment_score,
    toUInt16(sentiment = 'positive'), toUInt16(sentiment = 'neutral'), toUInt16(sentiment = 'negative')), codes)
AFTER codes;

-- A month that nothing was added to for a day becomes one part, whose rows needn't be compared with others' any more.
ALTER TABLE documents MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE mentions MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE document_themes MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE tallies MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE trends MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE stories MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;
