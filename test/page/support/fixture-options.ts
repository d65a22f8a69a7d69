/** Sizes and themes in which the page is looked at. */
import type { BrowserContextOptions } from 'playwright-core'

export interface OpenOptions {
  readonly theme?: 'light' | 'dark'
  readonly size?: 'wide' | 'phone'
  readonly reducedMotion?: boolean
  /** Key of the tabs. */
  readonly key?: string
}

const SIZES = {
  wide: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
} as const

export function contextOptions({ theme = 'light', size = 'wide', reducedMotion }: OpenOptions): BrowserContextOptions {
  return {
    ...SIZES[size],
    colorScheme: theme,
    locale: 'en-GB',
    timezoneId: 'UTC',
    ...(reducedMotion === true && { reducedMotion: 'reduce' }),
  }
}
