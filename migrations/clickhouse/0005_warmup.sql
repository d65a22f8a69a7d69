-- One number a row, of variables and of sampler stats. `index` counts a draw's elements in C order from 0. Strings are left
-- out; integers beyond 2^53 are rounded. Warmup is a prefix of a chain: of a row what `warmup` says from its begin on, also where a
-- version before has written more.
CREATE OR REPLACE VIEW numbers AS
SELECT tenant, run, kind, chain, start + offset AS draw, variable, index, value,
    toBool(warmup[1] = start AND notEmpty(warmup) AND (length(warmup) = 1 OR draw < warmup[2])) AS is_warmup
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
