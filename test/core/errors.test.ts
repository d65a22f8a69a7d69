/** Errors narrow to the fields of their codes, in types and when they come from elsewhere. */
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type ErrorFields, isMcbError, McbError, parseFields } from '../../src/core/errors.ts'

const GAP: unknown = new McbError('draw_gap', 'behind the end', { length: 3 })

describe('an error', () => {
  it('is told by its codes', () => {
    expect(isMcbError(GAP)).toBe(true)
    expect(isMcbError(GAP, 'draw_gap')).toBe(true)
    expect(isMcbError(GAP, 'run_conflict', 'draw_gap')).toBe(true)
    expect(isMcbError(GAP, 'draw_conflict')).toBe(false)
    expect(isMcbError(new Error('draw_gap'), 'draw_gap')).toBe(false)
    expect(isMcbError({ code: 'draw_gap', fields: { length: 3 } })).toBe(false)
  })

  it('has the fields of its code', () => {
    if (!isMcbError(GAP, 'draw_gap')) throw GAP
    expectTypeOf(GAP).toEqualTypeOf<McbError<'draw_gap'>>()
    expectTypeOf(GAP.code).toEqualTypeOf<'draw_gap'>()
    expectTypeOf(GAP.fields.length).toEqualTypeOf<number>()
    // @ts-expect-error it names no variable
    expect(GAP.fields.variable?.length).toBeUndefined()
    expect(GAP.fields.length).toBe(3)
  })

  it('has what several codes have in common, and perhaps what only some have', () => {
    const error: unknown = new McbError('draw_conflict', 'differs', { length: 3, variable: 'x' })
    if (!isMcbError(error, 'draw_gap', 'draw_conflict')) throw error
    expectTypeOf(error.fields.length).toEqualTypeOf<number>()
    expectTypeOf(error.fields.variable).toEqualTypeOf<string | undefined>()
    const any: McbError = error
    expectTypeOf(any.fields.length).toEqualTypeOf<number | undefined>()
    expectTypeOf(any.fields.expected).toEqualTypeOf<string | readonly number[] | undefined>()
    expectTypeOf<ErrorFields<'shape_mismatch'>['expected']>().toEqualTypeOf<readonly number[]>()
    expectTypeOf<ErrorFields<'dtype_mismatch'>['actual']>().toEqualTypeOf<string>()
  })

  it('cannot be made without them, or with those of another', () => {
    // Each is a mistake that the compiler tells.
    const mistakes = [
      // @ts-expect-error
      () => new McbError('draw_gap', 'no length'),
      // @ts-expect-error
      () => new McbError('draw_gap', 'no number', { length: '3' }),
      // @ts-expect-error
      () => new McbError('dtype_mismatch', 'no actual', { variable: 'x', expected: 'bool' }),
      // @ts-expect-error
      () => new McbError('run_not_found', 'no variable', { variable: 'x' }),
      // @ts-expect-error
      () => new McbError('no_such_code', 'not in the table'),
    ]
    expect(mistakes).toHaveLength(5)
    expect(new McbError('run_not_found', 'gone').fields).toEqual({})
    expect(new McbError('unknown_variable', 'in a read', { variable: 'x', status: 404 }).status).toBe(404)
  })
})

describe('fields from elsewhere', () => {
  it('are those of the code, and no others', () => {
    const given = { length: 7, variable: 'x', limit: 5, detail: 'no' }
    expect(parseFields('draw_gap', given)).toEqual({ length: 7 })
    expect(parseFields('draw_conflict', given)).toEqual({ length: 7, variable: 'x' })
    expect(parseFields('payload_too_large', given)).toEqual({ limit: 5 })
    expect(parseFields('run_not_found', given)).toEqual({})
  })

  it.each([
    ['draw_gap', { length: '7' }],
    ['draw_gap', {}],
    ['dtype_mismatch', { variable: 'x', expected: [1], actual: 'bool' }],
    ['shape_mismatch', { variable: 'x', expected: [1], actual: ['1'] }],
    ['method_not_allowed', { allow: 'GET' }],
  ] as const)('are none of %s: %j', (code, given) => {
    expect(parseFields(code, given)).toBeUndefined()
  })

  it('are left out where they are of another type, and are not always there', () => {
    expect(parseFields('payload_too_large', { limit: '5' })).toEqual({})
  })
})
