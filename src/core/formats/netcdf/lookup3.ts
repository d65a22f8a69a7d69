/**
 * Checksums of HDF5's metadata: Bob Jenkins's lookup3.
 *
 * https://burtleburtle.net/bob/c/lookup3.c
 */

const BLOCK = 12

export function lookup3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const state = { a: 0, b: 0, c: 0 }
  state.a = state.b = state.c = (0xdeadbeef + bytes.length) | 0
  let at = 0
  for (; bytes.length - at > BLOCK; at += BLOCK) mix(state, view, at)
  if (at < bytes.length) finish(state, bytes.subarray(at))
  return state.c >>> 0
}

interface State {
  a: number
  b: number
  c: number
}

function mix(state: State, view: DataView, at: number): void {
  let a = (state.a + view.getInt32(at, true)) | 0
  let b = (state.b + view.getInt32(at + 4, true)) | 0
  let c = (state.c + view.getInt32(at + 8, true)) | 0
  a = (a - c) ^ turned(c, 4)
  c = (c + b) | 0
  b = (b - a) ^ turned(a, 6)
  a = (a + c) | 0
  c = (c - b) ^ turned(b, 8)
  b = (b + a) | 0
  a = (a - c) ^ turned(c, 16)
  c = (c + b) | 0
  b = (b - a) ^ turned(a, 19)
  a = (a + c) | 0
  c = (c - b) ^ turned(b, 4)
  state.b = (b + a) | 0
  state.a = a
  state.c = c
}

function finish(state: State, rest: Uint8Array): void {
  const last = new DataView(new ArrayBuffer(BLOCK))
  rest.forEach((byte, i) => {
    last.setUint8(i, byte)
  })
  let a = (state.a + last.getInt32(0, true)) | 0
  let b = (state.b + last.getInt32(4, true)) | 0
  let c = (state.c + last.getInt32(8, true)) | 0
  c = ((c ^ b) - turned(b, 14)) | 0
  a = ((a ^ c) - turned(c, 11)) | 0
  b = ((b ^ a) - turned(a, 25)) | 0
  c = ((c ^ b) - turned(b, 16)) | 0
  a = ((a ^ c) - turned(c, 4)) | 0
  b = ((b ^ a) - turned(a, 14)) | 0
  state.c = ((c ^ b) - turned(b, 24)) | 0
}

function turned(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}
