/** The question is about more draws than a page computes with; its message tells the way out. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge'
}
