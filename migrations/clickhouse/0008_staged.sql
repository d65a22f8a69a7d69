-- Objects that wait until they are draws, by the id of a run that need not be registered, and a path. Each object that is sent, and
-- each mark of one that is forgotten, is a row; that of the highest version holds, and merges remove those before (docs/clickhouse.md).
CREATE TABLE IF NOT EXISTS staged
(
    tenant String,
    rid String,
    path String,
    -- Microseconds since 1970, or one more than the version before.
    version UInt64,
    -- 1 in a mark.
    forgotten UInt8,
    -- Bytes of the object.
    size UInt64,
    data String CODEC(LZ4)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, rid, path)
SETTINGS index_granularity = 256, index_granularity_bytes = 524288;
