import { validationBody } from '../../../src/edge/http/validation.ts';
import { parseStreamQuery, streamRequestOf } from '../../../src/edge/stream/parameters.ts';
import type { Random } from '../../support/seed.ts';
import { demand, type Fuzzer, type FuzzTarget, whole } from '../fuzz-target.ts';
import { mutate, wordsOf } from '../mutate.ts';

/** The query of a stream: parsed as URLSearchParams would, given the meaning that DESIGN.md states, or refused with the exact 422 body. */

const names = ['execution_id', 'stage', 'path', 'extension', 'timeout', 'keep_open', 'control_events', 'last_event_id'];
const values = [
  '0199B6A2-7c1e-7f00-9a3b-5d2e8f4c6a71',
  '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71',
  'nightly',
  '',
  'boost/routines',
  '/a//b/',
  'a*',
  '*',
  '..',
  '.MD',
  'tar.gz',
  '30',
  '1e3',
  '1_0.5',
  ' 7 ',
  '.5',
  '0.999',
  '3600.0001',
  '-inf',
  'NaN',
  '1'.repeat(400),
  'true',
  'OFF',
  'yes ',
  'earliest',
  'latest',
];
const words = wordsOf(
  '&',
  '=',
  '?',
  '+',
  '%',
  '%00',
  '%2A',
  '%C3%A9',
  '%ff',
  '%F0%9F',
  '%u0041',
  '\u{feff}',
  '\u2028',
  'é',
  ';',
  '#',
  '__proto__=1&',
  ...names,
  ...values,
);

function validQuery(random: Random): Buffer {
  const pairs = Array.from({ length: random.below(8) }, () => `${random.pick(names)}=${random.pick(values)}`);
  if (!random.oneIn(5)) pairs.push(`execution_id=${random.pick(values)}`);
  if (random.oneIn(500)) for (let n = 0; n < 999 + random.below(4); n += 1) pairs.push(`execution_id=t${n}`);
  return Buffer.from(pairs.join('&'));
}

interface Reading {
  readonly executionIds: string[];
  readonly last: (name: string) => string | undefined;
}

/**
 * The independent decoding. A query that begins with `?` keeps it, where URLSearchParams alone would drop it; raw letters are escaped first, as
 * Node.js cuts them to eight bits when an escape beside them is malformed.
 */
function read(query: string): Reading {
  const ascii = query.replace(/[^\0-\x7f]+/g, (run) => encodeURIComponent(run));
  const params = new URLSearchParams(`?${ascii}`);
  return { executionIds: params.getAll('execution_id'), last: (name) => params.getAll(name).at(-1) };
}

const space =
  /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function numberOf(text: string): number | null {
  const asIs = text.replace(space, '');
  const separated = /^_|_$|__/.test(text) ? text : text.split('_').join('');
  for (const form of [asIs, separated]) {
    if (decimal.test(form)) return Number.parseFloat(form);
    if (/^\+?inf(?:inity)?$/i.test(form)) return Infinity;
    if (/^-inf(?:inity)?$/i.test(form)) return -Infinity;
    if (/^[+-]?nan$/i.test(form)) return Number.NaN;
  }
  return null;
}

const isTrue = (text: string): boolean =>
  /^(?:1|t|y|on|yes|true)$/i.test(text) && text.length < 6 && !/[^ -~]/.test(text);
const isFalse = (text: string): boolean => /^(?:0|f|n|no|off|false)$/i.test(text) && !/[^ -~]/.test(text);

function distinct(executionIds: readonly string[]): string[] {
  const uuid = /^[\da-fA-F]{8}(?:-[\da-fA-F]{4}){3}-[\da-fA-F]{12}$/;
  return [...new Set(executionIds.map((one) => (uuid.test(one) ? one.toLowerCase() : one)))];
}

/** The 422 body for a query, written out by hand; null when it is valid. */
function expectedRefusal(reading: Reading): string | null {
  const faults: string[] = [];
  const add = (type: string, name: string, msg: string, input: unknown, ctx = ''): void => {
    const tail = ctx === '' ? '' : `,"ctx":${ctx}`;
    faults.push(
      `{"type":"${type}","loc":["query","${name}"],"msg":${JSON.stringify(msg)},"input":${JSON.stringify(input)}${tail}}`,
    );
  };
  const { executionIds, last } = reading;
  const count = distinct(executionIds).length;
  if (count === 0) add('missing', 'execution_id', 'Field required', null);
  if (count > 1000) {
    const msg = `List should have at most 1000 items after validation, not ${count}`;
    add(
      'too_long',
      'execution_id',
      msg,
      executionIds,
      `{"field_type":"List","max_length":1000,"actual_length":${count}}`,
    );
  }
  const timeout = last('timeout');
  if (timeout !== undefined) {
    const value = numberOf(timeout);
    if (value === null) {
      add('float_parsing', 'timeout', 'Input should be a valid number, unable to parse string as a number', timeout);
    } else if (!(value <= 3600)) {
      add('less_than_equal', 'timeout', 'Input should be less than or equal to 3600', timeout, '{"le":3600.0}');
    } else if (value < 1) {
      add('greater_than_equal', 'timeout', 'Input should be greater than or equal to 1', timeout, '{"ge":1.0}');
    }
  }
  for (const name of ['keep_open', 'control_events']) {
    const text = last(name);
    if (text === undefined || isTrue(text) || isFalse(text)) continue;
    add('bool_parsing', name, 'Input should be a valid boolean, unable to interpret input', text);
  }
  return faults.length === 0 ? null : `{"detail":[${faults.join(',')}]}`;
}

/** Surrounding slashes away; nothing left, or a lone `*`, filters nothing. */
function prefix(text: string | undefined): string | null {
  const bare = (text ?? '').split('/');
  while (bare[0] === '' && bare.length > 0) bare.shift();
  while (bare.at(-1) === '' && bare.length > 0) bare.pop();
  const joined = bare.join('/');
  return joined === '' || joined === '*' ? null : joined;
}

function extension(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  return (text.startsWith('.') ? text : `.${text}`).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function check(query: string): string {
  const reading = read(query);
  const parsed = parseStreamQuery(query);
  const refusal = expectedRefusal(reading);
  if (parsed.kind === 'invalid') {
    demand(
      validationBody(parsed.faults) === refusal,
      `the 422 body is ${validationBody(parsed.faults)}, not ${refusal ?? 'absent: the query is valid'}`,
    );
    return '422';
  }
  demand(refusal === null, `accepted what is ${refusal ?? ''}`);
  const request = streamRequestOf(parsed.parameters, '', '127.0.0.1');
  const { last } = reading;
  const bool = (name: string, absent: boolean): boolean =>
    last(name) === undefined ? absent : isTrue(last(name) ?? '');
  const expected = {
    values: distinct(reading.executionIds),
    filter: { stage: prefix(last('stage')), path: prefix(last('path')), extension: extension(last('extension')) },
    timeoutMs: Math.ceil((numberOf(last('timeout') ?? '300') ?? Number.NaN) * 1000),
    keepOpen: bool('keep_open', false),
    controlEvents: bool('control_events', true),
  };
  const { values: distinctValues, filter, timeoutMs, keepOpen, controlEvents, cursor } = request;
  const got = { values: distinctValues, filter, timeoutMs, keepOpen, controlEvents };
  demand(
    JSON.stringify(got) === JSON.stringify(expected),
    `read as ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`,
  );
  const asked = last('last_event_id') ?? '';
  demand(
    (cursor.kind === 'live') === (asked === '' || asked === 'latest'),
    `the cursor ${asked} became ${cursor.kind}`,
  );
  demand(cursor.kind !== 'malformed' || cursor.text.length <= 128, 'a cursor is given back longer than it may');
  return `a stream, ${cursor.kind}`;
}

export const queryTarget: FuzzTarget = {
  name: 'query',
  share: 290,
  needsSystem: false,
  open(): Fuzzer {
    return {
      make: (random) => whole(mutate(random, validQuery(random), words)),
      // As the rim hands it over: bytes that are no UTF-8 have become U+FFFD.
      check: ({ bytes }) => check(bytes.toString('utf8')),
    };
  },
};
