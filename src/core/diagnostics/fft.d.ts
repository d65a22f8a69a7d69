declare module 'fft.js' {
  /** Fourier transforms of `size` complex numbers, a power of two; numbers lie as real and imaginary parts in turn. */
  export default class FFT {
    constructor(size: number)
    /** Transforms `input` into `output`, both of 2 × size numbers. */
    transform(output: Float64Array, input: Float64Array): void
    /** Transforms `size` real numbers; the first half of `output` is written. */
    realTransform(output: Float64Array, input: Float64Array): void
  }
}
