import { randomUUID } from 'node:crypto';
import test from 'ava';
import { uuidTextsBits } from '../../src/core/limits.ts';
import { UuidTexts } from '../../src/wire/record/uuid-texts.ts';
import { seeded } from '../support/seed.ts';

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// Without this an execution whose id falls into the slot of another would be taken for that one, or for its remains.
test('every id gives its own text, however many of them share a slot', (t) => {
  const random = seeded(t);
  const texts = new UuidTexts();
  const ids = Array.from({ length: 3 * 2 ** uuidTextsBits }, () => randomUUID() as string);
  for (let round = 0; round < 50_000; round += 1) {
    const id = random.pick(ids);
    const before = random.below(4);
    const bytes = Buffer.from('x'.repeat(before) + id + 'y'.repeat(random.below(4)));
    if (texts.textAt(viewOf(bytes), before) !== id) t.fail(`not the text of ${id}`);
  }
  t.pass();
});

test('ids that differ in one digit alone are told apart', (t) => {
  const texts = new UuidTexts();
  const id = '0190b6a2-7c1e-4f00-9a3b-5d2e8f4c6a71';
  for (let round = 0; round < 2; round += 1) {
    for (let place = 0; place < id.length; place += 1) {
      for (const digit of id[place] === '-' ? ['-'] : '0123456789abcdef') {
        const other = id.slice(0, place) + digit + id.slice(place + 1);
        t.is(texts.textAt(viewOf(Buffer.from(other)), 0), other);
      }
    }
  }
});
