import test from 'ava';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { controlFrame, eventFrameBound, heartbeat, writeEventFrame } from '../../src/wire/frame/sse-frame.ts';
import { viewed } from '../../src/wire/frame/word-copy.ts';
import { RecordReader } from '../../src/wire/record/record-reader.ts';
import { WireError } from '../../src/wire/record/wire-error.ts';
import { eventFrame, eventJson } from '../support/event-json.ts';
import { type EventBody, encodeBatch, eventRecord, type RecordBody } from '../support/record-batch.ts';
import { seeded } from '../support/seed.ts';

/** Encodes the one record over ordinary or shared memory and answers the frame. */
function frameOf(batch: Buffer, memory: ArrayBuffer | SharedArrayBuffer | null = null): string {
  const reader = new RecordReader();
  reader.reset(batch);
  if (!reader.next()) throw new RangeError('an empty batch');
  const bound = eventFrameBound(reader);
  const into = memory === null ? Buffer.alloc(bound + 7) : Buffer.from(memory);
  const end = writeEventFrame(reader, viewed(into), 7);
  if (end - 7 > bound) throw new RangeError('the bound is too small');
  return into.toString('utf8', 7, end);
}

const frameOfRecord = (record: RecordBody): string => frameOf(encodeBatch({ records: [record] }));

/** Unicode with what JSON and line splitters care about often in it. */
const nasty = fc.constantFrom(
  ...[
    '\n',
    '\r',
    '\0',
    '"',
    '\\',
    '\u0085',
    '\u2028',
    '\u2029',
    '\u007f',
    '\u00c2',
    '\u2027',
    '\u202a',
    '\ufeff',
    '\u{1f680}',
    '\b',
    '\f',
    '\u001f',
  ],
);
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(nasty, fc.string({ unit: 'binary', minLength: 1, maxLength: 2 })), { maxLength })
    .map((parts) => parts.join(''));

const anyEvent: fc.Arbitrary<Partial<EventBody>> = fc.record(
  {
    stage: text(20),
    path: text(20),
    extension: text(3),
    size: fc.oneof(fc.nat(), fc.maxSafeNat()),
    contentType: text(8),
    checksum: text(8),
    uri: text(30),
    time: text(4),
    metadata: fc.dictionary(text(6), text(12), { maxKeys: 8 }),
    sourceId: text(5),
  },
  { requiredKeys: [] },
);

test('the byte encoder equals JSON.stringify on arbitrary texts', (t) => {
  const { seed } = seeded(t);
  fc.assert(
    fc.property(anyEvent, (event) => {
      const record = eventRecord(12, event);
      return frameOfRecord(record) === eventFrame(record);
    }),
    { numRuns: 20_000, seed },
  );
  t.pass();
});

// Without this, a key that is not in the oracle's list, or its place in the JSON, could change unnoticed in both.
test('an event has the keys of the contract in the order of the contract', (t) => {
  const record = eventRecord(7, {
    size: 1234,
    contentType: 'text/markdown',
    checksum: 'sha256:ab',
    uri: 'file:///a',
    metadata: { k: 'v', l: '' },
    sourceId: 'mine',
  });
  t.is(
    frameOfRecord(record),
    `id: ${record.id}\nevent: storage.object.created\ndata: {"id":"${record.id}","type":"storage.object.created",` +
      '"execution_id":"0190b6a2-7c1e-4f00-9a3b-5d2e8f4c6a71","stage":"boost/routines","path":"reports/summary.md","extension":".md",' +
      '"size":1234,"content_type":"text/markdown","checksum":"sha256:ab","uri":"file:///a","time":"2026-11-24T14:27:48.123Z",' +
      '"metadata":{"k":"v","l":""}}\n\n',
  );
});

// An optional number that is there with the value 0 is not absent.
test('size 0 is written, an absent size is not', (t) => {
  t.regex(frameOfRecord(eventRecord(1, { size: 0 })), /"size":0,/);
  t.notRegex(frameOfRecord(eventRecord(1)), /size/);
});

// Clients split lines at \n, \r and, in several languages, at U+0085, U+2028 and U+2029: a raw one would end the data line early.
test('no text can end its line, whatever the line splitter', (t) => {
  const hostile = 'a\nb\rc\r\nd\u0085e\u2028f\u2029g\0h\u000bi\u000cj\u001ck\u001dl\u001em';
  const frame = frameOfRecord(eventRecord(3, { stage: hostile, path: hostile, metadata: { [hostile]: hostile } }));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what the test is about
  t.is(frame.split(/[\n\r\u0085\u2028\u2029\u000b\u000c\u001c\u001d\u001e]/).length, 5);
  t.true(frame.endsWith('}\n\n'));
});

test('of equal metadata keys the last value wins, at the first place', (t) => {
  const once = encodeBatch({ records: [eventRecord(1, { metadata: { a: '1', b: '2' } })] });
  // Entries are `52 len 0a 01 key 12 01 value`: turn key b into a second a, then into a third with another value.
  const b = once.indexOf(Buffer.from([0x0a, 0x01, 0x62, 0x12, 0x01, 0x32]));
  once[b + 2] = 0x61;
  t.regex(frameOf(once), /"metadata":\{"a":"2"\}/);
});

test('a text that is not UTF-8 is refused with a code', (t) => {
  for (const bad of [[0xff], [0xc2], [0xe2, 0x80], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0x80]]) {
    const batch = encodeBatch({ records: [eventRecord(1, { uri: 'x'.repeat(bad.length) })] });
    const place = batch.indexOf(Buffer.from([0x42, bad.length, ...bad.map(() => 0x78)]));
    Buffer.from(bad).copy(batch, place + 2);
    const error = t.throws(() => frameOf(batch), { instanceOf: WireError });
    t.is(error.code, 'invalid-utf8');
  }
});

test('texts that could never fit are refused before a byte is written', (t) => {
  const batch = encodeBatch({ records: [eventRecord(1, { uri: 'x'.repeat(70_000) })] });
  t.is(t.throws(() => frameOf(batch), { instanceOf: WireError }).code, 'record-too-large');
});

test('a frame can be written over shared memory', (t) => {
  const record = eventRecord(9, { metadata: { ключ: 'värde \u2028' } });
  t.is(frameOf(encodeBatch({ records: [record] }), new SharedArrayBuffer(4096)), eventFrame(record));
});

function parse(chunks: readonly string[]): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  for (const chunk of chunks) parser.feed(chunk);
  return events;
}

// TCP cuts a stream anywhere: the same events must come out of every cut.
test('a stream cut at every position reads back the same', (t) => {
  const records = [1, 2, 3].map((sequence) =>
    eventRecord(sequence, { path: `a\n${sequence}\u2028/b.md`, metadata: { '\r\n': '"\\\u0085' }, size: sequence }),
  );
  const ready = controlFrame('ready', { last_event_id: null, executions: [] }, records[0]?.id ?? null, 1000);
  const stream = `${ready.toString()}${heartbeat.toString()}${records.map(frameOfRecord).join(heartbeat.toString())}`;
  const whole = parse([stream]);
  t.is(whole.length, 4);
  t.deepEqual(
    whole.slice(1).map((event) => [event.id, event.event, event.data]),
    records.map((record) => [record.id, 'storage.object.created', eventJson(record)]),
  );
  for (let cut = 0; cut <= stream.length; cut += 1) {
    t.deepEqual(parse([stream.slice(0, cut), stream.slice(cut)]), whole);
  }
});

test('control frames: id, event, retry, data, and the type first', (t) => {
  t.is(
    controlFrame(
      'ready',
      { last_event_id: 'x', executions: [] },
      '00000000-0000-0000-0000-000000000000',
      1000,
    ).toString(),
    'id: 00000000-0000-0000-0000-000000000000\nevent: ready\nretry: 1000\ndata: {"type":"ready","last_event_id":"x","executions":[]}\n\n',
  );
  t.is(
    controlFrame('done', { reason: 'timeout' }, null).toString(),
    'event: done\ndata: {"type":"done","reason":"timeout"}\n\n',
  );
});

// `gap` gives a client's own cursor back: it must not be able to break out of its line.
test('hostile text in a control frame stays in its line', (t) => {
  const frame = controlFrame('gap', { requested: 'a\nid: x\r\u2028\u2029\u0085' }, null).toString();
  t.is(frame.split(/[\n\r\u0085\u2028\u2029]/).length, 4);
  t.throws(() => controlFrame('gap', {}, 'a\nb'));
});

test('the heartbeat is a comment with one newline', (t) => {
  t.is(heartbeat.toString(), ':\n');
});
