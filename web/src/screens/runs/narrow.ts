/** Width of the screen: where it is narrow, runs are cards. */
import { signal } from '@preact/signals'

const narrow = matchMedia('(max-width: 62rem)')

export const isNarrow = signal(narrow.matches)
narrow.addEventListener('change', () => {
  isNarrow.value = narrow.matches
})
