declare module 'fft.js' {
  export default class FFT {
    constructor(size: number);
    realTransform(out: ArrayLike<number>, data: ArrayLike<number>): void;
  }
}
