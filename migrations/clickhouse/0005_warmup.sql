-- One number a row, of variables and of sampler stats. `index` counts a draw's elements in C order from 0. Strings are left
-- out; integers beyond 2^53 are rounded. Warmup is the longest prefix of a chain in which all rows of stats that may be the flag say
-- so from their begin on; all rows of an append say the same. So it is also where a version before has written more.
CREATE OR REPLACE VIEW numbers AS
SELECT tenant, run, kind, chain, start + offset AS draw, variable, index, value, toBool(draw < sampling) AS is_warmup
FROM
(
    SELECT tenant, rid AS run, kind, registration, chain, head, attempt, name AS variable, start,
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
    -- The appends of a chain that hold, and its first draw that is no warmup. Without a flag all of them are none.
    SELECT tenant, run, registration, chain, arrayJoin(appends) AS append, append.1 AS head, append.2 AS attempt, sampling
    FROM
    (
        SELECT tenant, run, registration, chain, groupArray((start, attempt)) AS appends, minIf(until, start >= 0) AS sampling
        FROM
        (
            SELECT tenant, run, registration, chain, start, attempt FROM live_appends
        ) AS taken
        LEFT JOIN
        (
            SELECT tenant, rid AS run, registration, chain, head AS start, attempt,
                min(multiIf(empty(warmup) OR warmup[1] != chunks.start, chunks.start,
                    length(warmup) = 1, toInt64(9223372036854775807), warmup[2])) AS until
            FROM chunks
            WHERE kind = 'stats' AND match(name, '^(|.*__)(in_warmup|tune|warmup|is_warmup)$')
            GROUP BY tenant, run, registration, chain, head, attempt
        ) AS flags USING (tenant, run, registration, chain, start, attempt)
        GROUP BY tenant, run, registration, chain
    )
) AS held USING (tenant, run, registration, chain, head, attempt)
ARRAY JOIN
    elements AS value,
    arrayFlatten(arrayMap((width, i) -> arrayWithConstant(width, i), widths, range(length(widths)))) AS offset,
    arrayFlatten(arrayMap(width -> range(width), widths)) AS index;
