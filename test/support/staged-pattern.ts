/** Objects of which each byte tells whose it is: small ones, and such of several rows. */
export function pathAt(i: number): string {
  return `posterior/x${i % 7}/c/0/${i}`
}

export function objectAt(i: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(i % 10 === 3 ? 2_500_000 : 1000 + i).fill(i % 251)
}
