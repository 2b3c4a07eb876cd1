import test from 'ava';
import type { WindowMark } from '../../src/contract/window.ts';
import { windowBytesMax, windowRecordBytesMax } from '../../src/core/limits.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { RingReader } from '../../src/window/ring-reader.ts';
import { createWindow, WindowError } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { RecordView, recordKind } from '../../src/wire/frame/window-record.ts';
import { WireError } from '../../src/wire/record/wire-error.ts';
import { checkedRecord } from '../support/checked-record.ts';
import { eventRecord, readerOn, testId } from '../support/record-batch.ts';
import { type Random, seeded } from '../support/seed.ts';

interface Kept {
  readonly sequence: number;
  readonly offset: number;
}

/** Every record that the window keeps, one after the other: what a search is compared with. */
function walkAll(reader: RingReader, head: number): Kept[] {
  const low = reader.lowOffset();
  const bytes = Buffer.alloc(reader.capacityBytes);
  const copy = reader.copy(low, head, bytes);
  if (copy.kind !== 'copied' || copy.bytes !== head - low) throw new RangeError('the window does not read back');
  const view = new RecordView();
  view.attach(bytes, copy.bytes);
  const kept: Kept[] = [];
  let at = 0;
  for (; view.moveTo(at); at += view.length) {
    if (view.kind !== recordKind.skip) kept.push({ sequence: view.sequence, offset: low + at });
  }
  if (low + at !== head) throw new RangeError('the records do not end at head');
  return kept;
}

test('records wrap around the ring and read back in a line', (t) => {
  const memory = createWindow(100_000);
  const writer = new WindowWriter(memory);
  const reader = new RingReader(memory);
  for (let sequence = 1; sequence <= 1_000; sequence += 1) writer.append(readerOn(checkedRecord(sequence)));
  const kept = walkAll(reader, writer.head().offset);
  t.true(writer.head().offset > 5 * 100_000, 'it did not wrap');
  t.is(kept.at(-1)?.sequence, 1_000);
  t.is(kept[0]?.sequence, writer.lowSequence() + 1);
  t.is(kept.length, 1_000 - writer.lowSequence());
  t.true(writer.keptBytes > 60_000);
  t.is(writer.records, 1_000);
});

test('a record that does not fit before the end of the ring leaves a skip record', (t) => {
  const memory = createWindow(windowRecordBytesMax);
  const writer = new WindowWriter(memory);
  const reader = new RingReader(memory);
  writer.append(readerOn(eventRecord(1, { uri: 'a'.repeat(30_000) })));
  const mark = writer.append(readerOn(eventRecord(2, { uri: 'b'.repeat(30_000) })));
  const third = writer.append(readerOn(eventRecord(3, { uri: 'c'.repeat(30_000) })));
  t.true(third.offset > windowRecordBytesMax && mark.offset < windowRecordBytesMax);
  const view = new RecordView();
  view.attach(Buffer.from(memory.ring), memory.ring.byteLength);
  t.true(view.moveTo(mark.offset));
  t.is(view.kind, recordKind.skip);
  t.is(mark.offset + view.length, windowRecordBytesMax);
  t.deepEqual(
    walkAll(reader, third.offset).map((kept) => kept.sequence),
    [2, 3],
  );
});

test('the smallest window takes the largest record, again and again', (t) => {
  const memory = createWindow(windowRecordBytesMax);
  const writer = new WindowWriter(memory);
  const reader = new RingReader(memory);
  let length = 60_000;
  // Grow to the last length that is taken.
  let sequence = 1;
  for (let step = 8_192; step >= 1; step /= 2) {
    try {
      writer.append(
        readerOn(
          eventRecord(sequence, { stage: 's'.repeat(512), path: 'p'.repeat(1024), uri: 'x'.repeat(length + step) }),
        ),
      );
      sequence += 1;
      length += step;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }
  for (let round = 0; round < 5; round += 1) {
    writer.append(
      readerOn(eventRecord(sequence, { stage: 's'.repeat(512), path: 'p'.repeat(1024), uri: 'x'.repeat(length) })),
    );
    t.is(walkAll(reader, writer.head().offset).at(-1)?.sequence, sequence);
    sequence += 1;
  }
  t.true(writer.keptBytes >= 65_000);
});

test('a window that cannot hold the largest record, or is too large, is refused', (t) => {
  for (const bytes of [0, -1, Number.NaN, windowRecordBytesMax - 1, windowBytesMax + 8]) {
    t.is(t.throws(() => createWindow(bytes), { instanceOf: WindowError }).code, 'window-size');
  }
  t.is(createWindow(windowRecordBytesMax + 7).ring.byteLength, windowRecordBytesMax);
});

// A refused record must leave the window as it was: the upstream skips it and goes on.
test('a record out of order or too large changes nothing', (t) => {
  const writer = new WindowWriter(createWindow(100_000));
  const mark = writer.append(readerOn(eventRecord(5)));
  const same = t.throws(() => writer.append(readerOn(eventRecord(5))), { instanceOf: WireError });
  t.is(same.code, 'out-of-order');
  const large = t.throws(() => writer.append(readerOn(eventRecord(6, { uri: '\u0001'.repeat(30_000) }))), {
    instanceOf: WireError,
  });
  t.is(large.code, 'record-too-large');
  t.deepEqual(writer.head(), mark);
  t.true(writer.append(readerOn(eventRecord(6))).offset > mark.offset);
});

test('only one writer takes a window', (t) => {
  const memory = createWindow(100_000);
  new WindowWriter(memory);
  t.throws(() => new WindowWriter(memory));
});

test('ids of records in the window, and of no others', (t) => {
  const writer = new WindowWriter(createWindow(100_000));
  for (let sequence = 1; sequence <= 600; sequence += 1) writer.append(readerOn(checkedRecord(sequence)));
  const low = writer.lowSequence();
  t.true(low > 0);
  t.is(writer.idAt(low), null);
  t.is(writer.idAt((low - 1) as Sequence), null);
  for (let sequence = low + 1; sequence <= 600; sequence += 1)
    t.is(writer.idAt(sequence as Sequence), testId(sequence));
  t.is(writer.idAt(601 as Sequence), null);
});

// A repaired journal has holes. A cursor before one lacks something, and only the bus can say so: the window took it as a place like any other.
test('no id with a hole behind it, whether a record follows the hole or not, and those behind it as ever', (t) => {
  const writer = new WindowWriter(createWindow(100_000));
  for (const sequence of [1, 2, 3, 6, 7]) writer.append(readerOn(checkedRecord(sequence)));
  const at = (sequence: number): string | null => writer.idAt(sequence as Sequence);
  t.deepEqual([1, 2, 3, 4, 5].map(at), [null, null, null, null, null]);
  t.deepEqual([6, 7].map(at), [testId(6), testId(7)]);
  writer.advance(9 as Sequence);
  t.deepEqual([6, 7, 8].map(at), [null, null, null]);
  writer.append(readerOn(checkedRecord(10)));
  t.is(at(10), testId(10));
  writer.reset(0 as Sequence);
  writer.append(readerOn(checkedRecord(1)));
  t.is(at(1), testId(1), 'the holes of the life before mean nothing');
});

// W5. A journal restored from a backup counts again from below: a shard with an old mark must notice, not read on.
test('after a reset every old mark is overtaken, and the new life is complete from its start', (t) => {
  const memory = createWindow(100_000);
  const writer = new WindowWriter(memory);
  const reader = new RingReader(memory);
  const marks: WindowMark[] = [writer.head()];
  for (let sequence = 1; sequence <= 20; sequence += 1) marks.push(writer.append(readerOn(checkedRecord(sequence))));
  const start = writer.reset(3 as Sequence);
  t.deepEqual([writer.lowSequence(), writer.head()], [3, start]);
  t.is(writer.keptBytes, 0);
  for (const mark of marks) {
    t.deepEqual(reader.copy(mark.offset, start.offset, Buffer.alloc(100)), { kind: 'overtaken' });
    t.is(reader.find(0 as Sequence, mark), null);
    t.is(reader.find(20 as Sequence, mark), null);
  }
  const end = writer.append(readerOn(checkedRecord(4)));
  t.is(reader.find(3 as Sequence, end), start.offset);
  t.is(reader.find(2 as Sequence, end), null);
  t.deepEqual(walkAll(reader, end.offset), [{ sequence: 4, offset: start.offset }]);
});

test('the window remembers that a journal had no records up to a sequence', (t) => {
  const memory = createWindow(100_000);
  const writer = new WindowWriter(memory);
  const reader = new RingReader(memory);
  const first = writer.append(readerOn(checkedRecord(1)));
  t.deepEqual(writer.advance(9 as Sequence), { sequence: 9 as Sequence, offset: first.offset });
  t.deepEqual(writer.advance(4 as Sequence), { sequence: 9 as Sequence, offset: first.offset });
  t.is(reader.find(7 as Sequence, writer.head()), first.offset);
  t.is(reader.find(9 as Sequence, writer.head()), first.offset);
});

/** The obvious search. */
function linearFind(reader: RingReader, writer: WindowWriter, after: number, until: WindowMark): number | null {
  if (until.offset < reader.lowOffset()) return null;
  if (after >= until.sequence) return until.offset;
  if (after < writer.lowSequence()) return null;
  for (const kept of walkAll(reader, writer.head().offset)) {
    if (kept.offset >= until.offset) break;
    if (kept.sequence > after) return kept.offset;
  }
  return until.offset;
}

function step(writer: WindowWriter, random: Random): WindowMark {
  const last = writer.head().sequence;
  if (random.oneIn(200)) return writer.reset(random.below(last + 10) as Sequence);
  if (random.oneIn(20)) return writer.advance((last + random.below(5)) as Sequence);
  const uri = 'u'.repeat(random.oneIn(30) ? random.below(40_000) : random.below(1_500));
  return writer.append(readerOn(eventRecord(last + 1 + (random.oneIn(3) ? random.below(9) : 0), { uri })));
}

// W3, W4. A search that misses by one record loses it for whoever resumes there.
test('find agrees with a linear search while the window wraps, leaves holes and is reset', (t) => {
  const random = seeded(t);
  const memory = createWindow(120_000);
  const writer = new WindowWriter(memory);
  const reader = new RingReader(memory);
  const marks: WindowMark[] = [writer.head()];
  const answers = { place: 0, end: 0, past: 0 };
  for (let round = 0; round < 3_000; round += 1) {
    marks.push(step(writer, random));
    if (marks.length > 120) marks.shift();
    const low = writer.lowSequence();
    for (let ask = 0; ask < 4; ask += 1) {
      const until = random.oneIn(2) ? writer.head() : random.pick(marks);
      const after = Math.max(0, low - 3 + random.below(until.sequence - low + 8)) as Sequence;
      const found = reader.find(after, until);
      t.is(
        found,
        linearFind(reader, writer, after, until),
        `find(${after}, ${JSON.stringify(until)}) in round ${round}`,
      );
      answers[found === null ? 'past' : found === until.offset ? 'end' : 'place'] += 1;
    }
  }
  t.log(JSON.stringify(answers));
  t.true(answers.place > 1_000 && answers.end > 100 && answers.past > 100);
});
