-- What accompanies the draws is little in each batch: LZ4 costs an insert, and the merges behind it, less than ZSTD does, and takes
-- hardly more room (docs/clickhouse.md). Parts that are there keep their codecs until they are merged.
ALTER TABLE chunks
    MODIFY COLUMN start CODEC(Delta(8), LZ4),
    MODIFY COLUMN count CODEC(LZ4),
    MODIFY COLUMN head CODEC(Delta(8), LZ4),
    MODIFY COLUMN attempt CODEC(LZ4),
    MODIFY COLUMN written CODEC(Delta(8), LZ4),
    MODIFY COLUMN bytes CODEC(LZ4),
    MODIFY COLUMN warmup CODEC(LZ4),
    MODIFY COLUMN absent CODEC(LZ4),
    MODIFY COLUMN shapes CODEC(LZ4),
    MODIFY COLUMN sizes CODEC(LZ4);
