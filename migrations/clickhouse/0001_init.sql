-- Registrations. Of those of one rid and generation, the one that the server took first is the run.
CREATE TABLE IF NOT EXISTS runs
(
    tenant String,
    rid String,
    -- One more than the last generation of this rid that was deleted.
    generation UInt64,
    registration String,
    created DateTime64(3, 'UTC'),
    variables UInt32,
    sample_stats UInt32,
    meta String CODEC(ZSTD(3))
)
ENGINE = MergeTree
ORDER BY (tenant, rid, generation, registration)
SETTINGS enable_block_number_column = 1, non_replicated_deduplication_window = 10000, index_granularity = 256;

-- What was deleted. 0004_marks.sql takes the end of its rows back: they stay.
CREATE TABLE IF NOT EXISTS deletions
(
    tenant String,
    rid String,
    generation UInt64,
    registration String,
    attempt UInt64,
    deleted DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (tenant, rid, generation)
TTL toDateTime(deleted) + INTERVAL 30 DAY
SETTINGS enable_block_number_column = 1, non_replicated_deduplication_window = 10000, index_granularity = 256;

-- Draws: consecutive draws of one variable of one chain a row; and appends, one row each (docs/clickhouse.md).
CREATE TABLE IF NOT EXISTS chunks
(
    tenant String,
    -- What the row is: an append (a chain's creation is one, of iteration -1), draws of a variable, or of a stat.
    kind Enum8('append' = 0, 'draws' = 1, 'stats' = 2),
    rid String,
    registration String,
    -- Variable or sampler stat; empty for an append.
    name String,
    chain UInt32,
    -- First iteration of the row.
    start Int64 CODEC(Delta(8), ZSTD(1)),
    -- Iterations of the row.
    count UInt32 CODEC(ZSTD(1)),
    -- First iteration of the append that the row came with, and the attempt that wrote it.
    head Int64 CODEC(Delta(8), ZSTD(1)),
    attempt UInt64 CODEC(ZSTD(1)),
    written DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    -- Bytes of the values as they were sent.
    bytes UInt64 CODEC(ZSTD(1)),
    -- Iterations at which warmup begins, ends, begins …; empty when none of the row is warmup.
    warmup Array(Int64) CODEC(ZSTD(1)),
    -- Whether a stat was not sent: its draws read as the fill value.
    absent Bool CODEC(ZSTD(1)),
    -- Where the shape varies: for each draw its number of dimensions, then they; and its number of elements.
    shapes Array(UInt32) CODEC(ZSTD(1)),
    sizes Array(UInt32) CODEC(ZSTD(1)),
    -- The elements in C order, in the column of the dtype.
    -- Measured on real draws: docs/clickhouse.md.
    float64 Array(Float64) CODEC(ZSTD(5)),
    float32 Array(Float32) CODEC(ZSTD(1)),
    int64 Array(Int64) CODEC(ZSTD(1)),
    int32 Array(Int32) CODEC(ZSTD(1)),
    int16 Array(Int16) CODEC(ZSTD(1)),
    int8 Array(Int8) CODEC(ZSTD(1)),
    uint64 Array(UInt64) CODEC(ZSTD(1)),
    uint32 Array(UInt32) CODEC(ZSTD(1)),
    uint16 Array(UInt16) CODEC(ZSTD(1)),
    uint8 Array(UInt8) CODEC(ZSTD(1)),
    bool Array(Bool) CODEC(ZSTD(1)),
    str Array(String) CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (tenant, kind, rid, registration, name, chain, start)
SETTINGS enable_block_number_column = 1, non_replicated_deduplication_window = 10000,
    index_granularity = 256, index_granularity_bytes = 524288;
