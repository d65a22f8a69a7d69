/**
 * The types of the web that `core` uses: every platform has them, and no others are to be had here (tsconfig.json beside
 * this file). Elsewhere the platform's own declarations stand in their place.
 */
declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>
  encodeInto(text: string, into: Uint8Array): { read: number; written: number }
}

declare class TextDecoder {
  constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean })
  decode(bytes?: ArrayBufferView | ArrayBuffer, options?: { readonly stream?: boolean }): string
}

interface AbortSignal {
  throwIfAborted(): void
}

declare function setTimeout(run: () => void, milliseconds?: number): unknown
declare function clearTimeout(timer: unknown): void
declare const performance: { now(): number }
declare function atob(text: string): string
declare function btoa(binary: string): string
