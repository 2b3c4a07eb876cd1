import test, { type ExecutionContext } from 'ava';
import type { RecordMessage } from '../../src/wire/bus/bus-messages.ts';
import { busChecks } from '../conformance/bus/bus-checks.ts';
import { BusDoor } from '../conformance/bus/door.ts';
import { HttpDoor } from '../conformance/http/door.ts';
import { httpChecks } from '../conformance/http/http-checks.ts';
import { type CheckResult, runChecks } from '../conformance/kit/runner.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';
import { type BusFault, startWrongBus } from '../support/wrong-bus.ts';
import { type HttpFault, startWrongHttp } from '../support/wrong-http.ts';

/** Proof that the checks of the kit can fail: the real program with one thing spoiled, and the checks that must notice. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner);
});

/** Most faults show at once; some only by what never comes. */
const impatientMs = 2_000;
/** A right server is given its time, however busy the machine is. */
const patientMs = 30_000;
const options = (timeoutMs: number) => ({ timeoutMs, slow: false, onResult: () => undefined });

const failedOf = (results: readonly CheckResult[]): string[] =>
  results.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id);

const withoutParameter =
  (name: string): NonNullable<HttpFault['ask']> =>
  (asked) => ({ ...asked, path: asked.path.replace(new RegExp(`([?&])${name}=[^&]*&?`), '$1') });

const withoutHeader =
  (name: string): NonNullable<HttpFault['head']> =>
  ({ status, headers }) => ({
    status,
    headers: Object.fromEntries(Object.entries(headers).filter(([one]) => one !== name)),
  });

const httpFaults: readonly (readonly [string, HttpFault, readonly string[]])[] = [
  [
    'lines end in CRLF',
    { text: (text) => text.replaceAll('\n', '\r\n') },
    ['stream/frame-bytes', 'stream/ready-first'],
  ],
  [
    'event before id',
    { text: (text) => text.replace(/(id: .*\n)(event: .*\n)/g, '$2$1') },
    ['stream/frame-bytes', 'end/done'],
  ],
  ['ready says no retry', { text: (text) => text.replace('retry: 1000\n', '') }, ['stream/ready-first']],
  [
    'the first bytes are a comment with an empty line',
    { text: (text) => text.replace(/^:\n$/, ': ping\n\n') },
    ['stream/control-events-false'],
  ],
  [
    'extension after size',
    { text: (text) => text.replace(/("extension":"[^"]*"),("size":\d+)/, '$2,$1') },
    ['stream/json-key-order'],
  ],
  [
    'absent keys are null',
    { text: (text) => text.replace(/,"time"/g, ',"size":null,"time"') },
    ['stream/json-absent-keys'],
  ],
  [
    'every event twice',
    { text: (text) => text.replace(/id: .*\nevent: storage.*\ndata: .*\n\n/g, '$&$&') },
    ['values/once-whatever-matches', 'resume/seam', 'filter/none', 'publish/batch-of-1000-in-order'],
  ],
  [
    'ready has an id before a gap',
    { text: (text) => text.replace(/^event: ready/, 'id: 0199\nevent: ready') },
    ['resume/malformed', 'resume/future', 'resume/expired', 'resume/of-no-record'],
  ],
  [
    'a gap is not said',
    { text: (text) => text.replace(/id: .*\nevent: gap\ndata: .*\n\n/, '') },
    ['resume/malformed-query'],
  ],
  [
    'done says no reason',
    { text: (text) => text.replace('"reason":"executions_terminal",', '') },
    ['end/done', 'end/last-of-a-set'],
  ],
  ['the cache may keep a stream', { head: withoutHeader('cache-control') }, ['stream/headers']],
  ['405 without allow', { head: withoutHeader('allow') }, ['error/method-not-allowed', 'error/head']],
  [
    '200 in place of 204',
    { head: ({ status, headers }) => ({ status: status === 204 ? 200 : status, headers }) },
    ['end/204', 'end/204-without-control-events', 'access/preflight'],
  ],
  [
    '308 in place of 307',
    { head: ({ status, headers }) => ({ status: status === 307 ? 308 : status, headers }) },
    ['error/trailing-slash'],
  ],
  [
    '200 in place of 409',
    { head: ({ status, headers }) => ({ status: status === 409 ? 200 : status, headers }) },
    ['executions/finality', 'publish/source-id-conflict'],
  ],
  [
    'a stage is a prefix of characters',
    { ask: (asked) => ({ ...asked, path: asked.path.replace(/stage=(\w+)(?=&|$)/, 'stage=$1*') }) },
    ['filter/stage-whole-segments'],
  ],
  ['extensions are ignored', { ask: withoutParameter('extension') }, ['filter/extension-double', 'filter/all-anded']],
  ['keep_open is ignored', { ask: withoutParameter('keep_open') }, ['end/keep-open', 'end/tag-waits-with-keep-open']],
  ['control_events is ignored', { ask: withoutParameter('control_events') }, ['stream/control-events-false']],
  ['the query cursor is ignored', { ask: withoutParameter('last_event_id') }, ['resume/query', 'resume/earliest']],
  [
    'Last-Event-ID is ignored',
    { ask: (asked) => ({ ...asked, headers: { ...asked.headers, 'last-event-id': '' } }) },
    ['resume/header', 'resume/nil-uuid', 'resume/cut-anywhere', 'resume/ready-is-a-start'],
  ],
  [
    'source_id is ignored',
    { ask: (asked) => ({ ...asked, body: asked.body.replaceAll(/"source_id":"[^"]*"/g, '"checksum":"x"') }) },
    ['publish/source-id-again', 'publish/source-id-in-one-batch', 'publish/source-id-conflict'],
  ],
  [
    'any type of body is taken',
    { ask: (asked) => ({ ...asked, headers: { ...asked.headers, 'content-type': 'application/json' } }) },
    ['publish/json-only'],
  ],
  [
    'any Host is taken',
    { ask: (asked) => ({ ...asked, headers: { ...asked.headers, host: 'localhost' } }) },
    ['access/host'],
  ],
  [
    'the correlation id is always its own',
    { ask: (asked) => ({ ...asked, headers: { ...asked.headers, 'x-request-id': 'own' } }) },
    ['error/correlation-echoed', 'error/correlation-replaced', 'stream/headers'],
  ],
  [
    'tags are those of the last PUT',
    { ask: (asked) => asked, text: (text) => text.replace(/"tags":\[[^\]]*,("[^"]*")\]/, '"tags":[$1]') },
    ['executions/tags-united'],
  ],
];

async function httpFailures(
  t: ExecutionContext,
  fault: HttpFault,
  ids: readonly string[],
  timeoutMs = impatientMs,
): Promise<string[]> {
  const base = new URL(await startWrongHttp(t, system.http, fault));
  const wanted = httpChecks.filter(({ id }) => ids.includes(id));
  return failedOf(await runChecks(wanted, () => new HttpDoor(base), options(timeoutMs)));
}

for (const [name, fault, expected] of httpFaults) {
  test.serial(`http: ${name}`, async (t) => {
    const ids = expected.map((id) => `http/${id}`);
    t.deepEqual((await httpFailures(t, fault, ids)).sort(), [...ids].sort());
  });
}

// Without this a fault above could be found because of the server in between, not because of the fault.
test.serial('http: a server in between that spoils nothing fails none of these checks', async (t) => {
  const ids = httpFaults.flatMap(([, , names]) => names.map((id) => `http/${id}`));
  t.deepEqual(await httpFailures(t, {}, ids, patientMs), []);
});

const mapRecords =
  (change: (records: readonly RecordMessage[]) => readonly RecordMessage[]): NonNullable<BusFault['batch']> =>
  (batch) => ({ ...batch, records: change(batch.records) });

const busFaults: readonly (readonly [string, BusFault, readonly string[]])[] = [
  [
    'ids are answered backwards',
    { published: (answer) => ({ ...answer, ids: answer.ids.toReversed() }) },
    ['publish/ids-rise-in-order'],
  ],
  [
    'source_id is ignored',
    {
      publish: ({ entries }) => ({
        entries: entries.map((entry) =>
          entry.event === undefined ? entry : { event: { ...entry.event, source_id: '' } },
        ),
      }),
    },
    [
      'idempotency/across-publishes',
      'idempotency/within-a-batch',
      'idempotency/of-racing-publishes',
      'idempotency/conflict',
    ],
  ],
  [
    'a bad entry is left out of its batch',
    { publish: ({ entries }) => ({ entries: entries.filter(({ event }) => !(event?.path ?? '').includes('//')) }) },
    ['publish/atomic-batch'],
  ],
  [
    'a change after the end is taken for the same one',
    {
      publish: ({ entries }) => ({
        entries: entries.map(({ change, ...rest }) =>
          change === undefined ? rest : { change: { ...change, status: 3 } },
        ),
      }),
    },
    ['finality/another-status', 'finality/within-a-batch', 'change/tags-are-only-added'],
  ],
  [
    'records come twice',
    { batch: mapRecords((records) => records.flatMap((one) => [one, one])) },
    ['subscribe/live-once-each-in-order', 'subscribe/after-id', 'read/by-executions'],
  ],
  [
    'a record of each batch is lost',
    { batch: mapRecords((records) => records.slice(1)) },
    ['subscribe/after-id', 'read/limit-records', 'publish/durable-at-last-sequence'],
  ],
  [
    'through_sequence stays behind',
    { batch: (batch) => ({ ...batch, through_sequence: 0 }) },
    ['subscribe/first-message-is-the-start', 'read/range', 'read/of-nobody'],
  ],
  [
    'Read ignores its executions',
    { read: (request) => ({ ...request, execution_ids: [] }) },
    ['read/by-executions', 'read/of-nobody'],
  ],
  [
    'Read ignores its limits',
    { read: (request) => ({ ...request, limit_records: 0, limit_bytes: 0 }) },
    ['read/limit-records', 'read/limit-bytes'],
  ],
  ['Read ignores events_only', { read: (request) => ({ ...request, events_only: false }) }, ['read/events-only']],
  [
    'there is no PublishStream, health or reflection',
    {},
    ['publish-stream/a-reply-each-in-order', 'publish-stream/refusal-goes-on', 'service/health', 'service/reflection'],
  ],
];

async function busFailures(
  t: ExecutionContext,
  fault: BusFault,
  ids: readonly string[],
  timeoutMs = impatientMs,
): Promise<string[]> {
  const address = await startWrongBus(t, system.grpc, fault);
  const wanted = busChecks.filter(({ id }) => ids.includes(id));
  return failedOf(await runChecks(wanted, () => new BusDoor(address), options(timeoutMs)));
}

for (const [name, fault, expected] of busFaults) {
  test.serial(`bus: ${name}`, async (t) => {
    const ids = expected.map((id) => `bus/${id}`);
    t.deepEqual((await busFailures(t, fault, ids)).sort(), [...ids].sort());
  });
}

test.serial('bus: a server in between that spoils nothing fails none of these checks', async (t) => {
  const ids = busFaults.slice(0, -1).flatMap(([, , names]) => names.map((id) => `bus/${id}`));
  t.deepEqual(await busFailures(t, {}, ids, patientMs), []);
});
