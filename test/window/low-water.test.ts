import test from 'ava';
import type { Sequence } from '../../src/core/sequence.ts';
import { RingReader } from '../../src/window/ring-reader.ts';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { RecordView, recordKind } from '../../src/wire/frame/window-record.ts';
import { checkedRecord, isWhole } from '../support/checked-record.ts';
import { readerOn } from '../support/record-batch.ts';

/** A window of about 80 records, filled with `count` of them. */
function filled(count: number) {
  const memory = createWindow(80_000);
  const writer = new WindowWriter(memory);
  let sequence = 0;
  const append = () => {
    sequence += 1;
    return writer.append(readerOn(checkedRecord(sequence)));
  };
  for (let index = 0; index < count; index += 1) append();
  return { memory, writer, append };
}

test('the writer comes between the copy and its re-check: overtaken', (t) => {
  const { memory, writer, append } = filled(300);
  const plain = new RingReader(memory);
  const from = plain.lowOffset();
  const reader = new RingReader(memory, {
    afterCopy: () => {
      while (plain.lowOffset() <= from) append();
    },
  });
  t.deepEqual(reader.copy(from, writer.head().offset, Buffer.alloc(40_000)), { kind: 'overtaken' });
});

test('the writer comes in between but does not reach the bytes: copied, whole', (t) => {
  const { memory, writer, append } = filled(300);
  const reader = new RingReader(memory, { afterCopy: append });
  const after = (writer.head().sequence - 5) as Sequence;
  const from = reader.find(after, writer.head());
  t.not(from, null);
  const scratch = Buffer.alloc(40_000);
  const copy = reader.copy(from ?? 0, writer.head().offset, scratch);
  t.is(copy.kind, 'copied');
  const view = new RecordView();
  view.attach(scratch, copy.kind === 'copied' ? copy.bytes : 0);
  const seen: number[] = [];
  for (let at = 0; view.moveTo(at); at += view.length) {
    if (view.kind === recordKind.skip) continue;
    t.true(isWhole(view, scratch));
    seen.push(view.sequence);
  }
  t.deepEqual(seen, [296, 297, 298, 299, 300]);
});

// W2, a step at a time: at no moment may a byte that low-water still covers differ from what was first written there.
test('no byte above low-water ever changes', (t) => {
  const { memory, append } = filled(200);
  const reader = new RingReader(memory);
  const ring = Buffer.from(memory.ring);
  let overwrites = 0;
  for (let round = 0; round < 400; round += 1) {
    const low = reader.lowOffset();
    const head = reader.headOffset();
    const before = Buffer.alloc(ring.length);
    const copy = reader.copy(low, head, before);
    t.is(copy.kind, 'copied');
    append();
    const kept = reader.lowOffset();
    for (let offset = kept; offset < head; offset += 8) {
      const place = offset % ring.length;
      if (before.readBigUInt64LE(offset - low) !== ring.readBigUInt64LE(place)) {
        t.fail(`offset ${offset} changed although low-water is ${kept}`);
        return;
      }
    }
    if (kept > low) overwrites += 1;
    t.true(reader.headOffset() - kept <= ring.length);
  }
  t.true(overwrites > 10, 'low-water never moved: nothing was tested');
});

test('the writer comes between the walk of a search and its re-check: the search does not answer a reused place', (t) => {
  const { memory, writer, append } = filled(300);
  const plain = new RingReader(memory);
  const until = writer.head();
  let forced = 0;
  const reader = new RingReader(memory, {
    afterWalk: () => {
      forced += 1;
      for (let index = 0; index < 200; index += 1) append();
    },
  });
  t.is(reader.find(writer.lowSequence(), until), null);
  t.is(forced, 1);
  t.true(plain.lowOffset() > until.offset);
});

test('a search disturbed once still finds what is left', (t) => {
  const { memory, writer, append } = filled(300);
  const plain = new RingReader(memory);
  const until = writer.head();
  const low = plain.lowOffset();
  const after = (until.sequence - 3) as Sequence;
  const expected = plain.find(after, until);
  let disturbances = 0;
  const reader = new RingReader(memory, {
    afterWalk: () => {
      disturbances += 1;
      if (disturbances === 1) while (plain.lowOffset() <= low) append();
    },
  });
  t.is(reader.find(after, until), expected);
  t.true(plain.lowOffset() > low);
});
