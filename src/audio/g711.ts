/** ITU-T G.711: the value in [-1, 1) of each code. */

function table(decode: (code: number) => number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, code) => decode(code) / 32768);
}

/** A-law: even bits are inverted; sign, 3 bits of exponent, 4 of mantissa. */
export const aLaw = table((code) => {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 0x0f) << 4) + 8;
  const size = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (bits & 0x80) === 0 ? -size : size;
});

/** mu-law: all bits are inverted, and a bias of 33 (of 14 bits) is added before coding. */
export const muLaw = table((code) => {
  const bits = ~code & 0xff;
  const size = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return (bits & 0x80) === 0 ? size : -size;
});
