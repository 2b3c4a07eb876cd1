import test from 'ava';
import { batchFaults } from '../../src/bus/journal/append/entry-faults.ts';
import { type Committed, GroupStage } from '../../src/bus/journal/append/group-stage.ts';
import { entriesOf } from '../../src/bus/service/request-entries.ts';
import type { JournalInput } from '../../src/contract/journal.ts';
import { normalizeTime } from '../../src/core/event.ts';
import type { JournalTag } from '../../src/core/event-id.ts';
import { InvalidInputError } from '../../src/core/failure.ts';
import * as limits from '../../src/core/limits.ts';
import type {
  PublishEntryMessage,
  PublishRequestMessage,
  PublishResponseMessage,
  StorageEventMessage,
} from '../../src/wire/bus/bus-messages.ts';
import { busMethods } from '../../src/wire/grpc/grpc-proto.ts';
import { PlainScanner } from '../../src/wire/plain/plain-scan.ts';
import { publishAnswerBytes } from '../../src/wire/plain/publish-answer.ts';
import { isStoredTime } from '../../src/wire/plain/stored-time.ts';
import { executionOf, startMs } from '../support/journal-input.ts';
import { type Random, seeded } from '../support/seed.ts';

const { requestSerialize, requestDeserialize } = busMethods.publish;
const scanner = new PlainScanner();
const nothing: Committed = { execution: () => undefined, source: () => null };

function staged(input: JournalInput): unknown {
  const stage = new GroupStage(nothing, 77 as JournalTag, startMs, { sequence: 2 ** 31 - 3, totalBytes: 1e10 });
  const answer = stage.add(input);
  const records = stage.records.map((record) => ({ ...record, bytes: Buffer.from(record.bytes).toString('hex') }));
  return { answer, records, executions: [...stage.executions], sources: [...stage.sources], tip: stage.tip };
}

/** What the way of objects makes of a request: what it stages, or null for a refusal. */
function oracle(request: Buffer): unknown {
  let entries: JournalInput;
  try {
    entries = entriesOf(requestDeserialize(request));
  } catch (error) {
    if (error instanceof InvalidInputError) return null;
    return null; // no message
  }
  return batchFaults(entries, request.length).length > 0 ? null : staged(entries);
}

const event = (more: StorageEventMessage = {}): PublishEntryMessage => ({
  event: { execution_id: executionOf(1), stage: 'boost/routines', path: 'reports/summary.MD', ...more },
});

const encoded = (...entries: PublishEntryMessage[]): Buffer => requestSerialize({ entries });

test('a plain request becomes the records that the way of objects makes of it, with and without what is optional', (t) => {
  const full = event({
    size: 2 ** 40 + 5,
    content_type: 'text/markdown',
    checksum: `sha256:${'a'.repeat(200)}`,
    uri: 'file:///x',
    time: '2024-02-29T23:59:59.999Z',
    metadata: { t: '1', z: '', a: '\u0000\n"\\', _k: 'v' },
  });
  for (const request of [
    encoded(event()),
    encoded(full),
    encoded(
      event(),
      full,
      event({ execution_id: executionOf(2), size: 0 }),
      event({ path: 'a.' }),
      event({ path: '.a' }),
    ),
    encoded(...Array.from({ length: limits.batchEventsMax }, (_, n) => event({ path: `a.b/${n}`, size: n }))),
    encoded(
      event({ path: `x.${'E'.repeat(127)}` }),
      event({ path: `x.${'E'.repeat(126)}` }),
      event({ path: `${'a/'.repeat(63)}a` }),
    ),
  ]) {
    const plain = scanner.scan(request);
    if (plain === null) return t.fail('not plain');
    t.deepEqual(staged(plain), oracle(request));
  }
  return undefined;
});

const texts = [
  '',
  'a',
  'a/b',
  'a//b',
  '/a',
  'a/',
  '.',
  '..',
  'a/..',
  '...',
  '.a',
  'a.B.C',
  'a.',
  'é.md',
  'a\u007f',
  'a\n',
  ' ',
  '~',
  '\u{1f600}',
];
const times = [
  '',
  '2026-11-24T14:27:48.123Z',
  '2026-11-24T14:27:48Z',
  '2026-02-29T00:00:00.000Z',
  '2026-11-24t14:27:48.123Z',
  '0999-01-01T00:00:00.000Z',
  '2026-11-24T24:00:00.000Z',
  '2026-13-01T00:00:00.000Z',
  '2026-11-24T14:27:60.123Z',
];
const keys = [
  'a',
  'b',
  '',
  '7',
  '__proto__',
  '_a',
  'a'.repeat(127),
  'a'.repeat(128),
  'a'.repeat(129),
  'é',
  'constructor',
  '-1',
  '1e3',
];
const executions = [
  executionOf(1),
  executionOf(1),
  executionOf(2),
  executionOf(1).replace('4000', '4ABC'),
  '',
  'x'.repeat(36),
];

/** Mostly plain; any field may be at, above or beside its limits. */
function drawEvent(random: Random): StorageEventMessage {
  const maybe = <Value>(rarely: number, draw: () => Value, otherwise: Value): Value =>
    random.oneIn(rarely) ? draw() : otherwise;
  const long = (max: number) => (): string => 'p'.repeat(max - 1 + random.below(3));
  const text = (max: number) => (): string => (random.oneIn(4) ? long(max)() : random.pick(texts));
  const metadata: Record<string, string> = {};
  for (let left = random.below(4); left > 0; left -= 1) {
    const key = maybe(3, () => random.pick(keys), `k${random.below(3)}`);
    Object.defineProperty(metadata, key, {
      value: maybe(4, text(limits.metadataValueBytesMax), 'v'),
      enumerable: true,
      configurable: true,
    });
  }
  if (random.oneIn(30))
    for (let n = 0; n < 31 + random.below(3); n += 1) metadata[`m${n}`] = maybe(2, () => 'v'.repeat(1_024), 'v');
  return {
    execution_id: maybe(8, () => random.pick(executions), executionOf(random.below(2))),
    stage: maybe(6, text(limits.stageBytesMax), 'boost'),
    path: maybe(4, text(limits.pathBytesMax), `out/${random.below(9)}.Md`),
    ...maybe<StorageEventMessage>(
      3,
      () => ({ size: random.pick([0, 1, 127, 128, 2 ** 32, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1, 2 ** 53]) }),
      {},
    ),
    ...maybe<StorageEventMessage>(3, () => ({ content_type: maybe(3, text(limits.shortTextBytesMax), 'a/b') }), {}),
    ...maybe<StorageEventMessage>(3, () => ({ checksum: maybe(3, text(limits.shortTextBytesMax), 'x') }), {}),
    ...maybe<StorageEventMessage>(3, () => ({ uri: maybe(3, text(limits.uriBytesMax), 'x') }), {}),
    ...maybe<StorageEventMessage>(
      3,
      () => ({ time: maybe(3, () => random.pick(times), '2026-11-24T14:27:48.123Z') }),
      {},
    ),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...maybe<StorageEventMessage>(20, () => ({ source_id: 's1' }), {}),
    ...maybe<StorageEventMessage>(20, () => ({ extension: '.x', topic: 't' }), {}),
  };
}

function drawRequest(random: Random): PublishRequestMessage {
  const entries = Array.from({ length: random.oneIn(9) ? random.below(9) : 1 }, () => ({ event: drawEvent(random) }));
  return random.oneIn(20)
    ? { entries: [...entries, { change: { execution_id: executionOf(1), status: 2 } }] }
    : { entries };
}

// Without this the two ways could drift apart: a fault that one takes, or a record that depends on how its event came.
test('3,000 seeded requests: what is plain is the same to the byte, and what has a fault is never plain', (t) => {
  const random = seeded(t);
  let plainCount = 0;
  for (let round = 0; round < 3_000; round += 1) {
    const request = requestSerialize(drawRequest(random));
    const plain = scanner.scan(request);
    if (plain === null) continue;
    plainCount += 1;
    t.deepEqual(staged(plain), oracle(request), request.toString('hex'));
  }
  t.log(`${plainCount} were plain`);
  t.true(plainCount > 500);
});

// Bytes that no protobuf library writes: longer varints, fields twice or out of order, lengths that lie.
test('10,000 seeded requests with spoilt bytes are read the same way or not at all', (t) => {
  const random = seeded(t);
  let plainCount = 0;
  for (let round = 0; round < 10_000; round += 1) {
    const request = Buffer.from(requestSerialize(drawRequest(random)));
    const spoilt = spoil(request, random);
    const plain = scanner.scan(spoilt);
    if (plain === null) continue;
    plainCount += 1;
    t.deepEqual(staged(plain), oracle(spoilt), spoilt.toString('hex'));
  }
  t.log(`${plainCount} were plain`);
  t.true(plainCount > 200);
});

function spoil(request: Buffer, random: Random): Buffer {
  const at = random.below(Math.max(1, Math.min(request.length, 200)));
  switch (random.below(4)) {
    case 0:
      request[at] = random.below(256);
      return request;
    case 1:
      return request.subarray(0, at);
    case 2:
      request[at] = (request[at] ?? 0) ^ (1 << random.below(8));
      return request;
    default:
      return Buffer.concat([request.subarray(0, at), Buffer.from([random.below(256)]), request.subarray(at)]);
  }
}

test('an answer is the bytes that protobufjs makes of it', (t) => {
  const random = seeded(t);
  const { responseSerialize } = busMethods.publish;
  const ours = (message: PublishResponseMessage): Buffer =>
    publishAnswerBytes(message, (other) => Buffer.concat([Buffer.from('other'), responseSerialize(other)]));
  for (let round = 0; round < 200; round += 1) {
    const ids = Array.from({ length: random.below(70) }, () => executionOf(random.below(1e6)));
    const message = { ids, last_sequence: random.pick([0, 1, 127, 128, 2 ** 31, 2 ** 52]) };
    t.deepEqual(ours(message), responseSerialize(message));
  }
  const error = { code: 3, message: 'no', field_violations: [], retry_after_ms: 0 };
  for (const message of [
    { ids: ['short'], last_sequence: 1 },
    { ids: [], last_sequence: 0, error },
  ]) {
    t.is(ours(message).toString('latin1', 0, 5), 'other');
  }
});

test('a stored time is one that is normalised to itself', (t) => {
  const random = seeded(t);
  for (let round = 0; round < 20_000; round += 1) {
    const two = (below: number): string => String(random.below(below)).padStart(2, '0');
    const year = random.pick(['2024', '2023', '1900', '2000', '1000', '9999']);
    let text = `${year}-${two(14)}-${two(33)}T${two(26)}:${two(62)}:${two(62)}.${two(99)}0Z`;
    if (random.oneIn(10)) {
      const at = 1 + random.below(23);
      text = text.slice(0, at) + random.pick(['0', ' ', 'z', ':', '-']) + text.slice(at + 1);
    }
    t.is(isStoredTime(Buffer.from(text), 0), normalizeTime(text) === text, text);
  }
});
