import test from 'ava';
import fc from 'fast-check';
import { windowRecordBytesMax } from '../../src/core/limits.ts';
import { HistoryBlockBuilder } from '../../src/wire/frame/history-block.ts';
import { RecordEncoder } from '../../src/wire/frame/record-encoder.ts';
import { RecordView, recordAt, recordHeaderBytes, recordKind } from '../../src/wire/frame/window-record.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';
import { WireError } from '../../src/wire/record/wire-error.ts';
import { eventFrame } from '../support/event-json.ts';
import {
  changeRecord,
  encodeBatch,
  eventRecord,
  type RecordBody,
  readerOn,
  testExecution,
  testId,
  testTag,
  testTimeMs,
} from '../support/record-batch.ts';
import { seeded } from '../support/seed.ts';

function encoded(record: RecordBody): Buffer {
  const encoder = new RecordEncoder();
  const length = encoder.encode(readerOn(record));
  return Buffer.from(encoder.bytes.subarray(0, length));
}

function viewOn(bytes: Buffer): RecordView {
  const view = new RecordView();
  view.attach(bytes, bytes.length);
  return view;
}

test('an event reads back from its record', (t) => {
  const record = eventRecord(2 ** 45 + 7, { stage: 'ключ/b', path: 'ü/é.md', size: 3, metadata: { a: 'b' } });
  const bytes = encoded(record);
  const view = viewOn(bytes);
  t.true(view.moveTo(0));
  t.is(view.kind, recordKind.event);
  t.is(view.length, bytes.length);
  t.is(view.length % 8, 0);
  t.is<number, number>(view.sequence, 2 ** 45 + 7);
  t.is(view.timeMs, testTimeMs);
  t.is(view.tag, testTag);
  t.is(view.id(), testId(2 ** 45 + 7));
  t.deepEqual([view.executionId(), view.stage(), view.path()], [testExecution, 'ключ/b', 'ü/é.md']);
  t.is(bytes.toString('utf8', view.frameStart, view.frameEnd), eventFrame(record));
  t.deepEqual(view.tags(), []);
});

test('a change reads back from its record', (t) => {
  const tags = ['nightly', 'ночь "7"', '\\'];
  const view = viewOn(encoded(changeRecord(9, { status: 5, statusChanged: true, tags })));
  t.true(view.moveTo(0));
  t.is(view.kind, recordKind.change);
  t.deepEqual([view.status, view.statusChanged, view.tags()], ['cancelled', true, tags]);
  t.deepEqual([view.executionId(), view.stage(), view.path()], [testExecution, '', '']);
  const silent = viewOn(encoded(changeRecord(9, { status: 1 })));
  t.true(silent.moveTo(0));
  t.deepEqual([silent.status, silent.statusChanged, silent.tags()], ['pending', false, []]);
});

// The encoder reuses its memory: a short record after a long one must not carry the long one's bytes.
test('a record does not depend on the one encoded before', (t) => {
  const encoder = new RecordEncoder();
  encoder.encode(readerOn(changeRecord(1, { status: 5, statusChanged: true, tags: ['x'.repeat(1000)] })));
  const record = eventRecord(2, { stage: 's', path: 'p' });
  const length = encoder.encode(readerOn(record));
  t.deepEqual(Buffer.from(encoder.bytes.subarray(0, length)), encoded(record));
});

test('a skip record is a record of its own kind', (t) => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(16, recordAt.length);
  const view = viewOn(bytes);
  t.true(view.moveTo(0));
  t.deepEqual(
    [view.kind, view.length, view.executionId(), view.stage(), view.path()],
    [recordKind.skip, 16, '', '', ''],
  );
  t.deepEqual([view.frameStart, view.frameEnd, view.tags()], [0, 0, []]);
  t.false(view.moveTo(16));
});

test('the end of a copy cuts a record: it is not there', (t) => {
  const bytes = encoded(eventRecord(1));
  const view = new RecordView();
  for (let length = 0; length < bytes.length; length += 1) {
    view.attach(bytes, length);
    t.false(view.moveTo(0));
  }
  view.attach(bytes, bytes.length + 100);
  t.true(view.moveTo(0));
  t.false(view.moveTo(bytes.length));
  t.false(view.moveTo(-8));
  t.false(view.moveTo(Number.NaN));
});

/** Asks for everything that a view can answer; each answer must lie inside the bytes. */
function visit(view: RecordView, size: number): boolean {
  const inside = view.frameStart >= 0 && view.frameStart <= view.frameEnd && view.frameEnd <= size;
  view.stage();
  view.path();
  view.executionId();
  view.id();
  try {
    view.tags();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
  return inside && view.length >= 8 && typeof view.status === 'string' && typeof view.statusChanged === 'boolean';
}

function walk(bytes: Buffer): boolean {
  const view = viewOn(bytes);
  let offset = 0;
  while (view.moveTo(offset)) {
    if (!visit(view, bytes.length)) return false;
    offset += view.length;
  }
  return true;
}

// V1. A torn copy is noticed by the re-check, but a bug in it must not become an endless loop or a read of another's memory.
test('a walk over arbitrary or damaged bytes ends and stays inside', (t) => {
  const { seed } = seeded(t);
  const sound = Buffer.concat([
    encoded(eventRecord(1)),
    encoded(changeRecord(2, { tags: ['a'] })),
    encoded(eventRecord(3)),
  ]);
  t.true(walk(sound));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => walk(Buffer.from(bytes))),
    { numRuns: 5_000, seed },
  );
  fc.assert(
    fc.property(fc.nat(recordHeaderBytes - 1), fc.nat(255), fc.nat(255), (place, byte, other) => {
      const damaged = Buffer.from(sound);
      damaged[place] = byte;
      damaged[(place * 7) % recordHeaderBytes] = other;
      return walk(damaged);
    }),
    { numRuns: 20_000, seed },
  );
});

test('a record beyond the limit is refused, one within it is taken', (t) => {
  const room = windowRecordBytesMax - encoded(eventRecord(1, { uri: 'x' })).length;
  t.notThrows(() => encoded(eventRecord(1, { uri: 'x'.repeat(room - 2_048) })));
  // Fits as text, but not once escaped.
  const code = t.throws(() => encoded(eventRecord(1, { uri: '\u0001'.repeat(20_000) })), { instanceOf: WireError });
  t.is(code.code, 'record-too-large');
  const long = t.throws(() => encoded(eventRecord(1, { stage: 's'.repeat(513) })), { instanceOf: WireError });
  t.is(long.code, 'record-too-large');
});

test('history blocks hold whole records, are bounded, and lose none', (t) => {
  const records = Array.from({ length: 200 }, (_, index) =>
    index % 5 === 0
      ? changeRecord(index + 1, { tags: [`t${index}`] })
      : eventRecord(index + 1, { uri: 'u'.repeat(index * 3) }),
  );
  const reader = new RecordReader();
  reader.reset(encodeBatch({ records }));
  const encoder = new RecordEncoder();
  const begin = (): HistoryBlockBuilder => new HistoryBlockBuilder(new ArrayBuffer(8192), encoder);
  let builder = begin();
  const blocks = [];
  while (reader.next()) {
    if (builder.append(reader)) continue;
    blocks.push(builder.block());
    builder = begin();
    t.true(builder.append(reader));
  }
  blocks.push(builder.block());
  const seen: number[] = [];
  for (const block of blocks) {
    t.true(block.length <= 8192 && block.buffer.byteLength === 8192);
    const view = viewOn(Buffer.from(block.buffer, 0, block.length));
    let offset = 0;
    let last = null;
    for (; view.moveTo(offset); offset += view.length) {
      last = view.sequence;
      seen.push(view.sequence);
    }
    t.is(offset, block.length);
    t.is(last, block.lastSequence);
  }
  t.true(blocks.length > 3);
  t.deepEqual(
    seen,
    records.map((record) => record.sequence),
  );
  t.is(
    blocks.reduce((sum, block) => sum + block.records, 0),
    200,
  );
});

// A block limit below the size of one event must not stop the replay for ever.
test('the first record of a block fits whatever the bound', (t) => {
  const memory = new ArrayBuffer(16);
  const builder = new HistoryBlockBuilder(memory, new RecordEncoder());
  t.like(builder.block(), { buffer: memory, length: 0, records: 0, lastSequence: null });
  const reader = readerOn(eventRecord(1, { uri: 'u'.repeat(20_000) }));
  t.true(builder.append(reader));
  t.false(builder.append(reader));
  const { buffer, length, records } = builder.block();
  t.is(records, 1);
  t.is(buffer.byteLength, length, 'in memory of its own');
});
