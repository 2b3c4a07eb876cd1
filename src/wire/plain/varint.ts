/** Bytes of a whole number up to 2^53-1 as a varint. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count += 1;
  return count;
}

export function writeVarint(into: Uint8Array, start: number, value: number): void {
  let at = start;
  let rest = value;
  for (; rest >= 128; at += 1) {
    const high = Math.floor(rest / 128);
    into[at] = (rest - high * 128) | 0x80;
    rest = high;
  }
  into[at] = rest;
}
