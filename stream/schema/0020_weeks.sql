-- Tallies by the week, and of all documents, so that months are counted from few rows: all are to be counted once more
-- (stream.tallies), above what has been.
INSERT INTO tally_refreshes (reached, version)
SELECT toDateTime64(0, 6, 'Asia/Shanghai'), max(version) + 1 FROM tally_refreshes HAVING count() > 0;
