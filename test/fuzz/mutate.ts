import type { Random } from '../support/seed.ts';

/** Numbers at which length fields and bounds break. */
const edges = [0, 1, 0x7f, 0x80, 0xff];

function splice(bytes: Buffer, at: number, drop: number, put: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(Math.min(bytes.length, at + drop))]);
}

/** Mostly short, now and then long. */
function lengthOf(random: Random, most: number): number {
  return random.below(1 + Math.min(most, random.oneIn(8) ? most : 8));
}

export function randomBytes(random: Random, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => random.below(256)));
}

/** One change: a bit, a byte, a stretch taken out, doubled, filled, moved, or a word of the format put in. */
function changeOnce(random: Random, bytes: Buffer, words: readonly Uint8Array[]): Buffer {
  const at = random.below(bytes.length + 1);
  switch (random.below(10)) {
    case 0:
      return splice(bytes, at, 1, Buffer.from([(bytes[at] ?? 0) ^ (1 << random.below(8))]));
    case 1:
      return splice(bytes, at, 1, Buffer.from([random.below(256)]));
    case 2:
      return splice(bytes, at, 1, Buffer.from([random.pick(edges)]));
    case 3:
      return splice(bytes, at, lengthOf(random, 64), Buffer.alloc(0));
    case 4:
      return splice(bytes, at, 0, bytes.subarray(at, at + lengthOf(random, 256)));
    case 5:
      return splice(bytes, at, random.below(4), randomBytes(random, lengthOf(random, 32)));
    case 6:
      return random.oneIn(2) ? bytes.subarray(0, at) : bytes.subarray(at);
    case 7: {
      const from = random.below(bytes.length + 1);
      return splice(bytes, at, lengthOf(random, 32), bytes.subarray(from, from + lengthOf(random, 64)));
    }
    default:
      return words.length === 0
        ? bytes
        : splice(bytes, at, random.oneIn(3) ? lengthOf(random, 8) : 0, random.pick(words));
  }
}

/** None to six changes of a valid input: what stays nearly valid reaches further than noise does. */
export function mutate(random: Random, valid: Buffer, words: readonly Uint8Array[]): Buffer {
  let bytes = valid;
  for (let left = random.oneIn(10) ? 0 : 1 + random.below(random.oneIn(4) ? 6 : 2); left > 0; left -= 1) {
    bytes = changeOnce(random, bytes, words);
  }
  return bytes;
}

export function wordsOf(...texts: readonly string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text));
}
