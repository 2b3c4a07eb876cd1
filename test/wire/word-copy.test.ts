import test from 'ava';
import {
  constantOf,
  constantSlackBytes,
  copyAscii,
  copyBytes,
  copyPlainText,
  putConstant,
  viewed,
} from '../../src/wire/frame/word-copy.ts';
import { seeded } from '../support/seed.ts';

const filler = 0xee;

/** Memory in which a byte too many shows. */
function target(bytes: number): Buffer {
  return Buffer.alloc(bytes, filler);
}

const plainInJson = (bytes: Buffer): boolean =>
  bytes.every((byte) => byte < 0x80) && JSON.stringify(bytes.toString('latin1')).length === bytes.length + 2;

// Without this one special byte at one place of a word could stand in a frame as it is, and end its line.
test('every byte at every place of a text of every length is judged as JSON.stringify does', (t) => {
  for (let length = 1; length <= 13; length += 1) {
    for (let place = 0; place < length; place += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        const text = Buffer.alloc(length, 'a');
        text[place] = byte;
        const into = target(length + 2);
        const isPlain = copyPlainText(viewed(text).view, 0, length, viewed(into).view, 1);
        if (isPlain !== plainInJson(text)) t.fail(`byte ${byte} at ${place} of ${length}: ${isPlain}`);
        if (isPlain && !into.subarray(1, length + 1).equals(text)) t.fail(`byte ${byte} at ${place} was not copied`);
        if (into[0] !== filler || into[length + 1] !== filler) t.fail(`byte ${byte}: written outside the text`);
      }
    }
  }
  t.pass();
});

test('texts of any bytes are judged and copied as by the obvious loop, on 20000 seeded cases', (t) => {
  const random = seeded(t, 0x30d5);
  let plains = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const length = random.below(40);
    const start = random.below(5);
    const from = Buffer.alloc(start + length);
    // Mostly what stands beside the borders, so that a borrow from one byte to the next would show.
    const alphabet =
      random.below(3) === 0
        ? [0x00, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5c, 0x5d, 0x7f, 0x80, 0xff]
        : [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f];
    for (let at = 0; at < from.length; at += 1) from[at] = alphabet[random.below(alphabet.length)] ?? 0;
    const text = from.subarray(start);
    const into = target(length + 6);
    const isPlain = copyPlainText(viewed(from).view, start, start + length, viewed(into).view, 3);
    t.is(isPlain, plainInJson(text));
    if (isPlain) {
      plains += 1;
      t.deepEqual(into.subarray(3, 3 + length), text);
    }
    copyBytes(viewed(from).view, start, length, viewed(into).view, 3);
    t.deepEqual(into, Buffer.concat([target(3), text, target(3)]));
  }
  t.true(plains > 2_000);
});

// Without this eight bytes that are a signalling NaN as a double might come out as another NaN.
test('bytes that are not numbers as a double are copied as they are', (t) => {
  const from = Buffer.from([0x01, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x02, 0, 0, 0, 0, 0, 0xf4, 0xff]);
  const into = target(16);
  copyBytes(viewed(from).view, 0, 16, viewed(into).view, 0);
  t.deepEqual(into, from);
});

test('every pair of ASCII bytes is copied as it is, wherever in a word it stands', (t) => {
  for (let place = 0; place < 11; place += 1) {
    for (let pair = 0; pair < 128 * 128; pair += 1) {
      const from = Buffer.alloc(12, 0x7f);
      from[place] = pair >>> 7;
      from[place + 1] = pair & 127;
      const into = target(14);
      copyAscii(viewed(from).view, 0, 12, viewed(into).view, 1);
      if (!into.subarray(1, 13).equals(from) || into[0] !== filler || into[13] !== filler)
        t.fail(`pair ${pair} at ${place}`);
    }
  }
  t.pass();
});

test('a constant is written whole, and at most its slack behind it', (t) => {
  for (const text of ['', 'a', 'ab', 'abc', 'abcd', ',"content_type":"', '\nevent: x\ndata: {"id":"']) {
    const into = target(64);
    const end = putConstant(constantOf(text), viewed(into).view, 5);
    t.is(into.toString('latin1', 5, end), text);
    t.deepEqual(into.subarray(0, 5), target(5));
    t.deepEqual(into.subarray(end + constantSlackBytes), target(64 - end - constantSlackBytes));
  }
});
