/**
 * Cloudflare's prices beyond what a paid plan includes, in US dollars, as published in November 2026.
 *
 * https://developers.cloudflare.com/workers/platform/pricing/
 * https://developers.cloudflare.com/durable-objects/platform/pricing/
 * https://developers.cloudflare.com/d1/platform/pricing/
 * https://developers.cloudflare.com/r2/pricing/
 */
const MILLION = 1e6
const GB = 1e9

/** Dollars of one of each. */
export const PRICES = {
  'requests to the Worker': 0.3 / MILLION,
  'requests to objects': 0.15 / MILLION,
  'rows written in objects': 1 / MILLION,
  'rows read in objects': 0.001 / MILLION,
  'rows written in D1': 1 / MILLION,
  'rows read in D1': 0.001 / MILLION,
  'writes to R2 (class A)': 4.5 / MILLION,
  'reads from R2 (class B)': 0.36 / MILLION,
} as const

/** Dollars of a byte for a month. */
export const STORAGE_PRICES = {
  'bytes in objects': 0.2 / GB,
  'bytes in R2': 0.015 / GB,
} as const

export type Billed = keyof typeof PRICES
export type Stored = keyof typeof STORAGE_PRICES
export const BILLED = Object.keys(PRICES) as Billed[]
export const STORED = Object.keys(STORAGE_PRICES) as Stored[]
