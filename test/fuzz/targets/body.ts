import { parseChangeExecution } from '../../../src/edge/api/executions.ts';
import { type ParsedCall, parsePublish } from '../../../src/edge/api/publish.ts';
import { validationBody } from '../../../src/edge/http/validation.ts';
import type { Random } from '../../support/seed.ts';
import { type Reading, readChange, readPublish } from '../body-reading.ts';
import { demand, type Fuzzer, type FuzzTarget, whole } from '../fuzz-target.ts';
import { mutate, wordsOf } from '../mutate.ts';

/** Bodies of a publish and of a PUT: taken just when an independent reading takes them, refused in words otherwise, and nothing of them sticks. */

const executionId = '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71';
const words = wordsOf(
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u0000',
  '\\ud800',
  '\\udc00',
  '"\\ud83d\\ude00"',
  '\u0000',
  '\u2028',
  '\\u2029',
  '\ufeff',
  'é',
  '/',
  '//',
  '/../',
  '.',
  '"__proto__":{"polluted":1},',
  '"__proto__":"x",',
  '"constructor":{"prototype":{"polluted":1}},',
  '"metadata":{"__proto__":"x"},',
  '"toString":1,',
  '"size":-0,',
  '"size":9007199254740993,',
  '"size":1e400,',
  '"size":1.0,',
  '"size":1e2,',
  '"size":"1",',
  'null',
  'true',
  'NaN',
  '-1',
  '0x10',
  '1e5',
  '"stage":"a",',
  '"path":"a/b",',
  '"id":"x",',
  '"type":"x",',
  '"extension":".md",',
  '"events":[],',
  '"time":"2026-02-30T00:00:00Z",',
  '"time":"2026-01-01T24:00:00Z",',
  '"time":"2026-01-01t00:00:60+23:59",',
  '"status":"done",',
  '"status":"failed",',
  '"tags":["a"],',
  `"tags":["${executionId}"],`,
  '"reason":null,',
);
/** What no event or change has a use for, but a parser must come through. */
const rare: readonly ((random: Random) => string)[] = [
  (random) => '['.repeat(random.below(60_000)) + ']'.repeat(random.below(60_000)),
  (random) => '{"a":'.repeat(random.below(20_000)),
  (random) => `{"events":[${Array.from({ length: 990 + random.below(20) }, () => event(random)).join(',')}]}`,
  (random) =>
    event(
      random,
      `"metadata":{${Array.from({ length: 28 + random.below(8) }, (_, n) => `"k${n}":"${'v'.repeat(1020 + random.below(8))}"`).join(',')}}`,
    ),
  (random) =>
    event(
      random,
      `"metadata":{${Array.from({ length: 32 }, (_, n) => `"k${n}":"${'\\u0001'.repeat(300 + random.below(80))}"`).join(',')}}`,
    ),
  (random) => event(random, `"uri":"${'é'.repeat(2040 + random.below(16))}"`),
  (random) => `{"tags":[${Array.from({ length: 95 + random.below(10) }, (_, n) => `"t${n}"`).join(',')}]}`,
  (random) =>
    `{"status":"failed","reason":"${'\\ud800'.repeat(random.below(3))}${'r'.repeat(1020 + random.below(8))}"}`,
  () => '"\\ud800"',
  (random) => `{"${'k'.repeat(random.below(3000))}":${'9'.repeat(random.below(500))}}`,
];

const extras = [
  '',
  '"size":12',
  '"time":"2026-11-24T14:27:48.123+02:00"',
  '"metadata":{"k":"v","l":"\\n"}',
  '"content_type":"text/markdown"',
  '"checksum":"sha256:0"',
  '"uri":"file:///x"',
  '"source_id":"s-1"',
];

function event(random: Random, extra: string = random.pick(extras)): string {
  const more = extra === '' ? '' : `,${extra}`;
  return `{"execution_id":"${executionId}","stage":"${random.pick(['a', 'boost/routines'])}","path":"${random.pick(['x', 'reports/summary.md'])}"${more}}`;
}

function validBody(random: Random): string {
  if (random.oneIn(60)) return random.pick(rare)(random);
  switch (random.below(4)) {
    case 0:
      return `{"events":[${Array.from({ length: 1 + random.below(4) }, () => event(random)).join(',')}]}`;
    case 1:
      return `{"status":"${random.pick(['pending', 'running', 'completed', 'failed', 'cancelled'])}","tags":["nightly","b"],"reason":"why"}`;
    default:
      return event(random);
  }
}

/** A mutated body; shared with the target that sends them to the running program. */
export function makeBody(random: Random): Buffer {
  return mutate(random, Buffer.from(validBody(random)), words);
}

function checkAgainst(reading: Reading, parsed: ParsedCall): void {
  if (parsed.kind === 'call') {
    demand(reading !== 'refused', 'taken, although the contract refuses it');
    return;
  }
  demand(
    reading !== 'accepted',
    `refused, although the contract takes it: ${validationBody(parsed.faults).slice(0, 500)}`,
  );
  demand(parsed.faults.length > 0, 'refused without a reason');
  const text = validationBody(parsed.faults);
  demand(Buffer.byteLength(text) <= 8_388_608, `a refusal of ${text.length} characters`);
  const { detail } = JSON.parse(text) as { detail: { loc: unknown[]; msg: unknown; type: unknown }[] };
  for (const { loc, msg, type } of detail) {
    const placed =
      Array.isArray(loc) &&
      loc[0] === 'body' &&
      loc.every((part) => typeof part === 'string' || typeof part === 'number');
    demand(
      placed && typeof msg === 'string' && msg !== '' && typeof type === 'string',
      `a fault without place or reason: ${text.slice(0, 500)}`,
    );
  }
}

const prototypeKeys = Object.getOwnPropertyNames(Object.prototype).join();

function checkClean(): void {
  demand(Object.getOwnPropertyNames(Object.prototype).join() === prototypeKeys, 'Object.prototype was written to');
  demand(!('polluted' in {}), 'every object is polluted');
}

export const bodyTarget: FuzzTarget = {
  name: 'body',
  share: 180,
  needsSystem: false,
  open(): Fuzzer {
    return {
      make: (random) => whole(makeBody(random)),
      check({ bytes }) {
        const published = parsePublish(bytes);
        checkAgainst(readPublish(bytes).reading, published);
        const changed = parseChangeExecution(executionId, bytes);
        checkAgainst(readChange(bytes), changed);
        checkClean();
        if (published.kind === 'call') return 'a publish';
        return changed.kind === 'call' ? 'a change' : 'refused';
      },
    };
  },
};
