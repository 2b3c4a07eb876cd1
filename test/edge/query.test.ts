import { parse as parseForm } from 'node:querystring';
import test from 'ava';
import { decodePercent, eachPair } from '../../src/edge/stream/query.ts';
import { parseBoolText, parseFloatText, parseIntText } from '../../src/edge/stream/scalar.ts';
import { type Random, seeded } from '../support/seeded.ts';

function pairsOf(query: string): [string, string][] {
  const pairs: [string, string][] = [];
  eachPair(query, (name, value) => pairs.push([name, value]));
  return pairs;
}

const atoms = [
  'a',
  'execution_id',
  '=',
  '&',
  '+',
  '%',
  '%4',
  '%41',
  '%2B',
  '%26',
  '%3D',
  '%zz',
  '%C3%A9',
  '%E2%82',
  '%ED%A0%80',
  '%FF',
  '%EF%BB%BF',
  '%F0%9F%98%80',
  '%00',
  '%0A',
  'é',
  '€',
  '😀',
  ';',
  '?',
  '#',
  '/',
  '[]',
  ' ',
  '%e9',
  '%25',
] as const;

function randomText(random: Random, parts: readonly [string, ...string[]], most: number): string {
  let text = '';
  for (let left = random.below(most + 1); left > 0; left -= 1) text += random.pick(parts);
  return text;
}

// The independent oracle is the WHATWG parser; it differs in one thing only, a leading `?`. Node 20's own fails on raw non-ASCII
// characters beside a malformed escape (`%e9😀`), so the oracle is given those percent-encoded, which must mean the same.
test('splitting and decoding agree with URLSearchParams on 200,000 seeded queries', (t) => {
  const random = seeded(t, 0x51ed);
  for (let round = 0; round < 200_000; round += 1) {
    const query = randomText(random, atoms, 12);
    const encoded = query.replace(/[^\x00-\x7f]+/g, encodeURIComponent);
    const oracle = [...new URLSearchParams(encoded.startsWith('?') ? `?${encoded}` : encoded)];
    if (JSON.stringify(pairsOf(query)) !== JSON.stringify(oracle)) t.fail(`query ${JSON.stringify(query)}`);
  }
  t.pass();
});

test('a leading ? belongs to the name, unlike in URLSearchParams', (t) => {
  t.deepEqual(pairsOf('?execution_id=a'), [['?execution_id', 'a']]);
  t.deepEqual(pairsOf('??a'), [['??a', '']]);
});

test('a second oracle, node:querystring, agrees on well-formed queries', (t) => {
  const query = 'a=1&b=%C3%A9+x&a=2&c=';
  const grouped: Record<string, string[]> = {};
  for (const [name, value] of pairsOf(query)) (grouped[name] ??= []).push(value);
  const oracle = Object.entries(parseForm(query)).map(([name, value]) => [name, [value].flat()]);
  t.deepEqual(grouped, Object.fromEntries(oracle) as Record<string, string[]>);
});

test('a path decodes percent escapes and leaves + alone', (t) => {
  t.is(decodePercent('/a+b%2Fc%'), '/a+b/c%');
});

// Written from the grammar in validation_cases.json, character by character instead of as one pattern.
function oracleFloat(text: string): number | null {
  const trimmed = text.replace(/^[\p{White_Space}]+|[\p{White_Space}]+$/gu, '');
  const direct = plainFloat(trimmed);
  if (direct !== null) return direct;
  if (!/^[^_]+(?:_[^_]+)+$/s.test(text)) return null;
  return plainFloat(text.split('_').join(''));
}

const named = new Map([
  ['inf', Infinity],
  ['infinity', Infinity],
  ['nan', Number.NaN],
]);

function plainFloat(text: string): number | null {
  const unsigned = /^[+-]/.test(text) ? text.slice(1) : text;
  const lower = unsigned.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const value = named.get(lower) ?? decimal(lower);
  return value !== null && text.startsWith('-') ? -value : value;
}

function decimal(lower: string): number | null {
  const [mantissa = '', exponent = '0', ...more] = lower.split('e');
  const [whole = '', fraction = '', ...dots] = mantissa.split('.');
  const digits = whole + fraction;
  if (more.length + dots.length > 0 || !/^[+-]?[0-9]+$/.test(exponent) || !/^[0-9]+$/.test(digits)) return null;
  return Number(`${whole.padStart(1, '0')}.${fraction.padStart(1, '0')}e${exponent}`);
}

const floatAtoms = [
  '0',
  '1',
  '9',
  '36',
  '.',
  'e',
  'E',
  '+',
  '-',
  '_',
  'inf',
  'INF',
  'nan',
  'NaN',
  'infinity',
  ' ',
  '\u0085',
  '\ufeff',
  '\u00a0',
  '\u2028',
  '\u3000',
  'x',
  '0x',
  '٣',
  '１',
  ',',
  '\n',
  '\u200b',
  '\u180e',
] as const;

test('numbers agree with an oracle written from the grammar on 200,000 seeded texts', (t) => {
  const random = seeded(t, 0xf10a7);
  let numbers = 0;
  for (let round = 0; round < 200_000; round += 1) {
    const text = randomText(random, floatAtoms, 7);
    const got = parseFloatText(text);
    if (!Object.is(got, oracleFloat(text))) t.fail(`${JSON.stringify(text)}: ${String(got)}`);
    if (got !== null) numbers += 1;
  }
  t.true(numbers > 10_000, `only ${numbers} of the texts were numbers`);
});

// Without this, one request line could hold the loop for seconds (a pattern with two digit runs side by side is quadratic).
test('60 KiB of digits, spaces or underscores that are no number are refused in linear time', (t) => {
  const start = performance.now();
  for (const unit of ['1', ' ', '_', '1_', '1.', 'e1'])
    t.is(parseFloatText(`${unit.repeat(60_000 / unit.length)}x`), null);
  const elapsed = performance.now() - start;
  t.true(elapsed < 500, `${elapsed} ms`);
});

test('booleans are exactly the twelve words in any ASCII case', (t) => {
  const table: [string, boolean | null][] = [
    ...['1', 't', 'T', 'y', 'on', 'oN', 'yes', 'YES', 'true', 'True'].map((word): [string, boolean] => [word, true]),
    ...['0', 'f', 'n', 'no', 'off', 'OFF', 'false', 'FALSE'].map((word): [string, boolean] => [word, false]),
    ...['', ' true', 'true ', 'yeſ', '01', '2', 'ok', 'null', 'tru', 'true\n', '１', '1.0'].map(
      (word): [string, null] => [word, null],
    ),
  ];
  for (const [word, value] of table) t.is(parseBoolText(word), value, JSON.stringify(word));
});

test('whole numbers take a sign, spaces around, separators and a zero fraction', (t) => {
  for (const [text, value] of [
    ['10', 10],
    [' +10 ', 10],
    ['1_000', 1000],
    ['10.0', 10],
    ['-1', -1],
  ] as const) {
    t.is(parseIntText(text), value, text);
  }
  for (const text of ['', '1.5', '0x10', '1e3', 'ten', '1__0']) t.is(parseIntText(text), null, text);
});
