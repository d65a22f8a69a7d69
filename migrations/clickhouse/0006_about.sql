-- Terms by which the attributes of a run are found. Empty for runs of a version before, which have a row of `about` instead.
ALTER TABLE runs ADD COLUMN IF NOT EXISTS terms Array(String) CODEC(ZSTD(3));

-- Names, notes and facts: each change is a row. Of the changes to one revision, the one that the server took first holds; the last
-- revision of a run is the present one, and those before are removed now and then (docs/clickhouse.md). Revision 0 has no document:
-- its terms are those of the attributes of a run that a version before has registered.
CREATE TABLE IF NOT EXISTS about
(
    tenant String,
    rid String,
    registration String,
    -- Number of changes.
    revision UInt64,
    -- The change, and those that hold at the revisions before, the last ones.
    attempt UInt64,
    former Array(UInt64) CODEC(LZ4),
    written DateTime64(3, 'UTC'),
    -- Name and tags, as a list in JSON: the name or null, and then the tags. Empty without both.
    shown String CODEC(ZSTD(3)),
    -- The name, folded for searching; and the terms of the tags.
    folded String CODEC(ZSTD(3)),
    terms Array(String) CODEC(ZSTD(3)),
    archived Bool,
    finished Bool,
    -- Draws of a chain after which it is complete.
    expected Nullable(UInt64),
    -- Bytes of the document.
    bytes UInt64,
    document String CODEC(ZSTD(3))
)
ENGINE = MergeTree
ORDER BY (tenant, rid, registration, revision)
SETTINGS enable_block_number_column = 1, non_replicated_deduplication_window = 10000,
    index_granularity = 256, index_granularity_bytes = 524288;
