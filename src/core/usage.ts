/** Bytes that rows of a storage take beside their data, and that count against a tenant's quota. */

/** Bytes that a row takes beside its data: its numbers, its place in the tables and their indices. */
export const ROW_BYTES = 100
/** Bytes of the place that a column has in a row of a whole batch. */
export const COLUMN_BYTES = 4
