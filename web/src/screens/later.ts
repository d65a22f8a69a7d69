/**
 * Screens that are loaded when the first of them is shown: all behind a run's overview, in one file, since code of one kind
 * compresses better together.
 */
export { CompareScreen } from './compare/compare-screen.tsx'
export { DataTab } from './data/data-tab.tsx'
export { PairsTab } from './pairs/pairs-tab.tsx'
export { PosteriorTab } from './posterior/posterior-tab.tsx'
export { SamplerTab } from './sampler/sampler-tab.tsx'
export { VariablesTab } from './variables/variables-tab.tsx'
