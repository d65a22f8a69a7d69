-- SQL for people (docs/sql.md). A filter on tenant, run, kind and variable reaches the sorting keys of all tables: through
-- groups by their keys, and through joins by what they have in common.

-- Runs that are registered: of each generation that no deletion has ended, the registration that the server took first.
CREATE OR REPLACE VIEW live_runs AS
SELECT tenant, rid AS run, first.1 AS registration, first.2 AS created, first.3 AS variables, first.4 AS sample_stats
FROM
(
    SELECT tenant, rid, generation, argMin(registered, (is_deletion, block, registered.1)) AS first
    FROM
    (
        SELECT tenant, rid, generation, (registration, created, variables, sample_stats) AS registered,
            _block_number AS block, 0 AS is_deletion
        FROM runs
        UNION ALL
        SELECT tenant, rid, generation, (registration, deleted, toUInt32(0), toUInt32(0)), toUInt64(0), 1
        FROM deletions
    )
    GROUP BY tenant, rid, generation
    HAVING max(is_deletion) = 0
);

-- Appends that hold, of live runs: of the attempts at one iteration of a chain, the one that the server took first.
-- That a chain was created is an append of its own: of one iteration, at -1.
CREATE OR REPLACE VIEW live_appends AS
SELECT tenant, run, registration, chain, start, first.1 AS attempt, first.2 AS count, first.3 AS written
FROM
(
    SELECT tenant, rid AS run, registration, chain, start,
        argMin((attempt, count, written), (_block_number, attempt)) AS first
    FROM chunks
    WHERE kind = 'append'
    GROUP BY tenant, run, registration, chain, start
) AS taken
INNER JOIN (SELECT tenant, run, registration FROM live_runs) AS live USING (tenant, run, registration);

-- One number a row, of variables and of sampler stats. `index` counts a draw's elements in C order from 0. Strings are left
-- out; integers beyond 2^53 are rounded.
CREATE OR REPLACE VIEW numbers AS
SELECT tenant, run, kind, chain, start + offset AS draw, variable, index, value,
    toBool(arrayCount(flip -> flip <= draw, warmup) % 2 = 1) AS is_warmup
FROM
(
    SELECT tenant, rid AS run, kind, registration, chain, head, attempt, name AS variable, start, warmup,
        arrayConcat(float64, CAST(float32, 'Array(Float64)'), CAST(int64, 'Array(Float64)'),
            CAST(int32, 'Array(Float64)'), CAST(int16, 'Array(Float64)'), CAST(int8, 'Array(Float64)'),
            CAST(uint64, 'Array(Float64)'), CAST(uint32, 'Array(Float64)'), CAST(uint16, 'Array(Float64)'),
            CAST(uint8, 'Array(Float64)'), CAST(bool, 'Array(Float64)')) AS elements,
        if(empty(sizes), arrayWithConstant(count, toUInt32(intDiv(length(elements), count))), sizes) AS widths
    FROM chunks
    WHERE kind != 'append' AND empty(str)
) AS sent
INNER JOIN
(
    SELECT tenant, run, registration, chain, start AS head, attempt FROM live_appends
) AS held USING (tenant, run, registration, chain, head, attempt)
ARRAY JOIN
    elements AS value,
    arrayFlatten(arrayMap((width, i) -> arrayWithConstant(width, i), widths, range(length(widths)))) AS offset,
    arrayFlatten(arrayMap(width -> range(width), widths)) AS index;

CREATE OR REPLACE VIEW draws AS
SELECT tenant, run, chain, draw, variable, index, value, is_warmup FROM numbers WHERE kind = 'draws';

CREATE OR REPLACE VIEW stats AS
SELECT tenant, run, chain, draw, variable, index, value, is_warmup FROM numbers WHERE kind = 'stats';
