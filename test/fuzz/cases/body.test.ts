import test from 'ava';
import { parsePublish } from '../../../src/edge/api/publish.ts';
import { startEdge } from '../../support/edge-server.ts';
import { ask } from '../../support/http-client.ts';

function kindOf(event: Record<string, unknown>): string {
  const whole = { execution_id: '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71', stage: 's', path: 'p', ...event };
  return parsePublish(Buffer.from(JSON.stringify(whole))).kind;
}

// V8 reads it as the midnight that follows; RFC 3339 has no hour 24, and other readers of the published text refuse it.
for (const time of ['2026-01-01T24:00:00Z', '2026-01-01T24:00:00.000+01:00']) {
  test(`the time ${time} is refused`, (t) => {
    t.is(kindOf({ time }), 'invalid');
  });
}

// zod drops a key named `__proto__`, so nobody had looked at its value: a TypeError in the socket's callback, and no answer at all.
for (const value of ['{"a":1}', '1', 'null', '["x"]']) {
  test(`metadata with a "__proto__" of ${value} is refused with its place`, async (t) => {
    const { port, failures } = await startEdge(t);
    const body = `{"execution_id":"0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71","stage":"s","path":"p","metadata":{"__proto__":${value}}}`;
    const answer = await ask(port, {
      method: 'POST',
      path: '/api/v1/storage/events',
      headers: { 'Content-Type': 'application/json' },
      body,
    });
    t.is(answer.status, 422);
    const { detail } = answer.json() as { detail: { loc: unknown[]; msg: string }[] };
    t.deepEqual(
      detail.map(({ loc, msg }) => [loc, msg]),
      [[['body', 'metadata', '__proto__'], 'Input should be a valid string']],
    );
    t.deepEqual(failures, []);
  });
}

test('metadata with a "__proto__" that is a text is taken as it is', (t) => {
  const parsed = parsePublish(
    Buffer.from(
      '{"execution_id":"0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71","stage":"s","path":"p","metadata":{"__proto__":"x"}}',
    ),
  );
  t.true(
    parsed.kind === 'call' &&
      parsed.call.kind === 'publish' &&
      JSON.stringify(parsed.call.events[0]?.metadata) === '{"__proto__":"x"}',
  );
});
