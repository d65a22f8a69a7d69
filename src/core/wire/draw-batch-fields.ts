/** Field numbers of the messages DrawBatch and Column, as protobufs/draws.proto has them: said here alone. */

export const BATCH = { start: 1, count: 2, draws: 3, stats: 4, step: 5 } as const
export const COLUMN = { name: 1, dtype: 2, data: 3, shapes: 4, strings: 5 } as const
