-- Figures that lists show, as they were last computed: in JSON, of the draws that there were at a moment. Each computation is a row;
-- the latest moment holds, and merges remove those before.
CREATE TABLE IF NOT EXISTS diagnostics
(
    tenant String,
    rid String,
    registration String,
    at DateTime64(3, 'UTC'),
    figures String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, rid, registration)
SETTINGS index_granularity = 256;
