import test from 'ava';
import type { CursorRequest, StreamRequest } from '../../src/contract/stream.ts';
import { nilId } from '../../src/core/event-id.ts';
import { resolveCursor } from '../../src/edge/stream/cursor.ts';
import { parseStreamQuery, streamRequestOf } from '../../src/edge/stream/parameters.ts';

const id = '018f4c1e-7b2a-7cc3-98c4-dc0c0c07398f';
const other = '018f4c1e-7b2a-7cc3-98c4-dc0c0c073990';
const after = (text: string): CursorRequest => ({ kind: 'after', id: text });
const malformed = (text: string): CursorRequest => ({ kind: 'malformed', text });
const live: CursorRequest = { kind: 'live' };
const earliest: CursorRequest = { kind: 'earliest' };

function requestOf(query: string): StreamRequest {
  const parsed = parseStreamQuery(query);
  if (parsed.kind === 'invalid') throw new TypeError(JSON.stringify(parsed.faults));
  return streamRequestOf(parsed.parameters, '', '127.0.0.1');
}

// header, query, cursor. Each row is a sentence of the contract.
const cursors: readonly [string, string | null, CursorRequest][] = [
  ['', null, live],
  ['', '', live],
  [id, null, after(id)],
  ['', id, after(id)],
  [id, other, after(id)],
  [id.toUpperCase(), null, after(id)],
  ['x', other, after(other)],
  ['x', 'latest', live],
  ['x', null, malformed('x')],
  ['x', 'y', malformed('x')],
  ['x', '', malformed('x')],
  ['', 'y', malformed('y')],
  ['', 'earliest', earliest],
  ['', nilId, earliest],
  [nilId, null, earliest],
  ['', 'latest', live],
  [id, 'earliest', after(id)],
  ['', 'EARLIEST', malformed('EARLIEST')],
  // Version 4, version 7 with a wrong variant, braces, urn: no positions.
  ['018f4c1e-7b2a-4cc3-98c4-dc0c0c07398f', null, malformed('018f4c1e-7b2a-4cc3-98c4-dc0c0c07398f')],
  ['018f4c1e-7b2a-7cc3-18c4-dc0c0c07398f', null, malformed('018f4c1e-7b2a-7cc3-18c4-dc0c0c07398f')],
  [`{${id}}`, null, malformed(`{${id}}`)],
  [`${id} `, null, malformed(`${id} `)],
  ['', '\u0130'.repeat(36), malformed('\u0130'.repeat(36))],
];

test('the cursor is the valid one of header and query, header first', (t) => {
  for (const [header, query, cursor] of cursors) {
    t.deepEqual(resolveCursor(header, query), cursor, `header '${header}' query '${String(query)}'`);
  }
});

// Without this, a 60 KiB cursor would be kept with the session and sent back in its gap frame.
test('a malformed cursor is kept to 128 characters of well-formed text', (t) => {
  t.deepEqual(resolveCursor('x'.repeat(1000), null), malformed('x'.repeat(128)));
  const cursor = resolveCursor(`${'x'.repeat(127)}😀`, null);
  t.true(cursor.kind === 'malformed' && cursor.text.isWellFormed());
});

test('filters lose their surrounding slashes, extensions gain a dot and lose their case', (t) => {
  const filterOf = (query: string): StreamRequest['filter'] => requestOf(`execution_id=a&${query}`).filter;
  t.deepEqual(filterOf(''), { stage: null, path: null, extension: null });
  t.deepEqual(filterOf('stage=&path=&extension='), { stage: null, path: null, extension: null });
  t.deepEqual(filterOf('stage=//boost/routines/&path=/&extension=MD'), {
    stage: 'boost/routines',
    path: null,
    extension: '.md',
  });
  t.deepEqual(filterOf('stage=boo%2A&path=a//b&extension=.Tar.GZ'), {
    stage: 'boo*',
    path: 'a//b',
    extension: '.tar.gz',
  });
  // toLowerCase would make two characters of the first: only ASCII has case here.
  t.is(filterOf('extension=%C4%B0X').extension, '.\u0130x');
});

test('execution ids are lower-cased when they are UUIDs and count once', (t) => {
  const upper = id.toUpperCase();
  t.deepEqual(
    requestOf(`execution_id=${upper}&execution_id=Tag&execution_id=${id}&execution_id=tag&execution_id=`).values,
    [id, 'Tag', 'tag', ''],
  );
});

test('a thousand distinct values pass, one more is refused in Pydantic words, duplicates do not count', (t) => {
  const query = (count: number): string =>
    Array.from({ length: count }, (_, index) => `execution_id=t${index}`).join('&');
  t.is(requestOf(query(1000)).values.length, 1000);
  t.is(requestOf(`${query(1000)}&execution_id=t0`).values.length, 1000);
  const refused = parseStreamQuery(query(1001));
  t.is(refused.kind, 'invalid');
  if (refused.kind !== 'invalid') return;
  const { input, ...fault } = refused.faults[0] ?? { input: null };
  t.deepEqual(fault, {
    type: 'too_long',
    loc: ['query', 'execution_id'],
    msg: 'List should have at most 1000 items after validation, not 1001',
    ctx: { field_type: 'List', max_length: 1000, actual_length: 1001 },
  });
  t.is((input as string[]).length, 1001);
});

test('faults come in the order of the signature, control_events after keep_open', (t) => {
  const refused = parseStreamQuery('control_events=x&keep_open=x&timeout=x');
  t.deepEqual(refused.kind === 'invalid' ? refused.faults.map((fault) => fault.loc[1]) : [], [
    'execution_id',
    'timeout',
    'keep_open',
    'control_events',
  ]);
});

test('fractions of a second round up to a millisecond, never down to nothing', (t) => {
  t.is(requestOf('execution_id=a&timeout=1.0001').timeoutMs, 1001);
  t.is(requestOf('execution_id=a').timeoutMs, 300_000);
  t.true(requestOf('execution_id=a').controlEvents);
  t.false(requestOf('execution_id=a&control_events=off').controlEvents);
});
