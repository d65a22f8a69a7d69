/** The time of day, for what changes without news: rates, silences, and times that are left. */
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

const now = signal(Date.now())
let watchers = 0
let timer: ReturnType<typeof setInterval> | undefined

/** Milliseconds since 1970, each second anew as long as a part is shown that uses it. */
export function useClock(): number {
  useEffect(() => {
    if (watchers++ === 0) {
      now.value = Date.now()
      timer = setInterval(() => {
        now.value = Date.now()
      }, 1000)
    }
    return () => {
      if (--watchers === 0) clearInterval(timer)
    }
  }, [])
  return now.value
}
