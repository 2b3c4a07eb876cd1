import test from 'ava';
import fc from 'fast-check';
import { RecordReader } from '../../src/wire/record/record-reader.ts';
import { WireError, type WireFailure } from '../../src/wire/record/wire-error.ts';
import {
  changeRecord,
  encodeBatch,
  eventRecord,
  testExecution,
  testId,
  testTag,
  testTimeMs,
} from '../support/record-batch.ts';
import { seeded } from '../support/seed.ts';

/** One field of wire type 2. */
const field = (number: number, ...content: (Buffer | string)[]): Buffer => {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([number * 8 + 2, (bytes.length & 0x7f) | 0x80, bytes.length >> 7]), bytes]);
};
const number = (fieldNumber: number, value: number): Buffer => Buffer.from([fieldNumber * 8, value]);
const event = (...more: Buffer[]): Buffer => field(3, field(1, testExecution), field(2, 's'), field(3, 'p'), ...more);

function read(batch: Buffer): RecordReader {
  const reader = new RecordReader();
  reader.reset(batch);
  while (reader.next());
  return reader;
}

function failure(batch: Buffer): WireFailure | null {
  try {
    read(batch);
    return null;
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
}

test('reads events and changes in order, then how far the batch reaches', (t) => {
  const reader = new RecordReader();
  reader.reset(
    encodeBatch({
      records: [
        eventRecord(41, { size: 12, stage: 'ключ/b', path: 'ü.md' }),
        changeRecord(42, { status: 3, statusChanged: true, tags: ['a', 'ночь'], reason: 'why', time: 'T' }),
        eventRecord(2 ** 51 + 3),
      ],
      throughSequence: 2 ** 51 + 9,
      throughId: testId(2 ** 51 + 9),
    }),
  );
  t.true(reader.next());
  t.true(reader.isEvent);
  t.is<number, number>(reader.sequence, 41);
  t.is(reader.timeMs, testTimeMs);
  t.is(reader.tag, testTag);
  t.is(reader.id, testId(41));
  t.deepEqual([reader.executionId, reader.stage, reader.path, reader.size], [testExecution, 'ключ/b', 'ü.md', 12]);
  t.is(reader.time, '2026-11-24T14:27:48.123Z');
  t.is(reader.change, null);
  t.true(reader.next());
  t.false(reader.isEvent);
  t.is(reader.executionId, testExecution);
  // A change must not show the texts of the event before it.
  t.deepEqual([reader.stage, reader.path, reader.size], ['', '', null]);
  t.deepEqual(reader.change, {
    status: 'completed',
    statusChanged: true,
    tags: ['a', 'ночь'],
    reason: 'why',
    time: 'T',
  });
  t.true(reader.next());
  t.deepEqual([reader.isEvent, reader.sequence, reader.size], [true, 2 ** 51 + 3, null]);
  t.false(reader.next());
  t.is<number, number>(reader.throughSequence, 2 ** 51 + 9);
  t.is(reader.throughId, testId(2 ** 51 + 9));
});

// The first message of a Subscribe is an empty batch with a position.
test('an empty batch has just its position, and nothing of the batch before', (t) => {
  const reader = read(encodeBatch({ records: [eventRecord(5)], throughSequence: 5, throughId: testId(5) }));
  reader.reset(encodeBatch({ throughSequence: 9 }));
  t.false(reader.next());
  t.deepEqual([reader.throughSequence, reader.throughId], [9, null]);
});

// A newer bus may send fields that this router has never heard of.
test('unknown fields are skipped at every level', (t) => {
  const unknown = Buffer.concat([
    field(30 - 16, 'text'),
    Buffer.from([13 * 8 + 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
    Buffer.from([13 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8]),
    Buffer.from([13 * 8 + 5, 1, 2, 3, 4]),
  ]);
  const record = field(1, unknown, number(1, 6), field(2, testId(6)), event(unknown), unknown);
  const reader = new RecordReader();
  reader.reset(Buffer.concat([unknown, record, unknown, number(2, 6)]));
  t.true(reader.next());
  t.deepEqual([reader.sequence, reader.stage, reader.path], [6, 's', 'p']);
  t.false(reader.next());
  t.is<number, number>(reader.throughSequence, 6);
});

const cases: [what: string, batch: Buffer, code: WireFailure][] = [
  ['an id of another sequence', field(1, number(1, 7), field(2, testId(6)), event()), 'id-mismatch'],
  ['a record without a sequence', field(1, field(2, testId(6)), event()), 'id-mismatch'],
  ['sequence 0', field(1, field(2, testId(0)), event()), 'id-mismatch'],
  ['an upper-case id', field(1, number(1, 6), field(2, testId(6).toUpperCase()), event()), 'malformed'],
  ['an id that is no UUIDv7', field(1, number(1, 6), field(2, testExecution), event()), 'malformed'],
  ['no id', field(1, number(1, 6), event()), 'malformed'],
  ['no body', field(1, number(1, 6), field(2, testId(6))), 'malformed'],
  ['two bodies', field(1, number(1, 6), field(2, testId(6)), event(), event()), 'malformed'],
  [
    'a foreign execution id',
    field(1, number(1, 6), field(2, testId(6)), field(3, field(1, 'x'.repeat(36)))),
    'malformed',
  ],
  ['an event without an execution', field(1, number(1, 6), field(2, testId(6)), field(3, field(2, 's'))), 'malformed'],
  [
    'a change without a status',
    field(1, number(1, 6), field(2, testId(6)), field(4, field(1, testExecution))),
    'malformed',
  ],
  [
    'an unknown status',
    field(1, number(1, 6), field(2, testId(6)), field(4, field(1, testExecution), number(2, 6))),
    'malformed',
  ],
  [
    'a tag that is no UTF-8',
    field(
      1,
      number(1, 6),
      field(2, testId(6)),
      field(4, field(1, testExecution), number(2, 1), field(3, Buffer.from([0xff]))),
    ),
    'invalid-utf8',
  ],
  ['a length past its message', field(1, Buffer.from([2 * 8 + 2, 100, 1])), 'malformed'],
  ['a group', Buffer.from([13 * 8 + 3]), 'malformed'],
  ['field 0', Buffer.from([0x02, 0]), 'malformed'],
  ['a wrong wire type', Buffer.from([1 * 8, 5]), 'malformed'],
  ['a number above 2^53', Buffer.from([2 * 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), 'malformed'],
  ['a varint without an end', Buffer.from([2 * 8, ...Array<number>(11).fill(0x80)]), 'malformed'],
  ['a through id that is none', field(3, 'x'), 'malformed'],
  [
    'more metadata than the limit',
    field(1, number(1, 6), field(2, testId(6)), event(...Array.from({ length: 33 }, () => field(10, field(1, 'k'))))),
    'record-too-large',
  ],
];
for (const [what, batch, code] of cases) {
  test(`refused: ${what}`, (t) => {
    t.is(failure(batch), code);
  });
}

test('the case above that is sound is taken', (t) => {
  t.is(failure(field(1, number(1, 6), field(2, testId(6)), event())), null);
});

// Whatever bytes come, the reader ends, and with its own error: a RangeError of the runtime would be taken for a bug of ours.
test('arbitrary and damaged bytes give a WireError or a record, never anything else', (t) => {
  const { seed } = seeded(t);
  const sound = encodeBatch({
    records: [eventRecord(1, { metadata: { a: 'b' }, size: 300 }), changeRecord(2, { tags: ['x'], status: 4 })],
    throughSequence: 2,
    throughId: testId(2),
  });
  const anyBytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      failure(Buffer.from(bytes));
    }),
    { numRuns: 20_000, seed },
  );
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length), (place, byte, length) => {
      const damaged = Buffer.from(sound);
      damaged[place] = byte;
      failure(damaged.subarray(0, length));
    }),
    { numRuns: 20_000, seed },
  );
  for (let length = 0; length <= sound.length; length += 1) failure(sound.subarray(0, length));
  t.pass();
});
