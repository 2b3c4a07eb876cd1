import test from 'ava';
import { eventAt, newExecution, newTag } from '../support/execution-names.ts';
import { RawClient } from '../support/http-client.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** Limits at n and at n + 1, through the whole program. What is not here is named in docs/ARCHITECTURE.md section 5. */

const owner = ownerOf(test);
let system: System;
let execution: string;

test.before(async () => {
  system = await startSystem(owner, ['--window-bytes=4MiB']);
  execution = newExecution();
  await system.put(execution, { status: 'running' });
});

async function faultOf(response: Response): Promise<{ loc: unknown; type: unknown }> {
  const { detail } = (await response.json()) as { detail: { loc: unknown; type: unknown }[] };
  return { loc: detail[0]?.loc, type: detail[0]?.type };
}

test.serial('values of execution_id: 1,000 are taken, 1,001 are 422', async (t) => {
  // Each counts once, so they are different ones, and unknown: 404 is what comes after the count.
  const query = (count: number): string =>
    Array.from({ length: count }, () => `execution_id=${newExecution()}`).join('&');
  t.is((await system.fetch(`/api/v1/storage/events?${query(1_000)}`)).status, 404);
  const refused = await system.fetch(`/api/v1/storage/events?${query(1_001)}`);
  t.is(refused.status, 422);
  t.like(await faultOf(refused), { loc: ['query', 'execution_id'], type: 'too_long' });
  t.is(refused.headers.get('retry-after'), null);
});

// No retry cures it, and nothing of a request is looked at whose head is not whole.
test.serial(
  'request line and headers: about 64 KiB are read, to a byte that is the same each time, and one more is 431',
  async (t) => {
    const { port } = new URL(system.http);
    const head = (bytes: number): string => {
      const start = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Fill: ';
      return `${start}${'x'.repeat(bytes - start.length - 4)}\r\n\r\n`;
    };
    const answer = async (bytes: number): Promise<string> => {
      const client = await RawClient.open(t, Number(port));
      client.send(head(bytes));
      return client.until((text) => text.includes('\r\n\r\n'));
    };
    t.regex(await answer(65_000), /^HTTP\/1\.1 200 /);
    let least = 65_000;
    let most = 66_500;
    t.regex(await answer(most), /^HTTP\/1\.1 431 /);
    while (most - least > 1) {
      const middle = Math.floor((least + most) / 2);
      if ((await answer(middle)).startsWith('HTTP/1.1 200 ')) least = middle;
      else most = middle;
    }
    t.log(`${least} bytes are read, ${most} are 431`);
    t.true(Math.abs(least - 65_536) <= 64);
  },
);

test.serial('a body: 1 MiB is read, a byte more is 413, whether its length was said or not', async (t) => {
  const body = (bytes: number): Uint8Array => Buffer.from(`{}${' '.repeat(bytes - 2)}`);
  const post = async (bytes: number, chunked: boolean): Promise<Response> => {
    const whole = body(bytes);
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (let at = 0; at < whole.length; at += 65_536) controller.enqueue(whole.subarray(at, at + 65_536));
        controller.close();
      },
    });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const options = chunked ? { ...init, body: stream, duplex: 'half' } : { ...init, body: whole };
    return system.fetch('/api/v1/storage/events', options as RequestInit);
  };
  for (const chunked of [false, true]) {
    t.is((await post(1_048_576, chunked)).status, 422, 'read, and found to be no event');
    const refused = await post(1_048_577, chunked);
    t.is(refused.status, 413);
    t.is(refused.headers.get('retry-after'), null);
  }
});

test.serial('events of one publish: 1,000 are taken, 1,001 are 422', async (t) => {
  const batch = (count: number): Record<string, unknown> => ({
    events: Array.from({ length: count }, (_, n) => eventAt(execution, `p${n}`)),
  });
  t.is((await system.post(batch(1_000))).status, 202);
  const refused = await system.post(batch(1_001));
  t.is(refused.status, 422);
  t.like(await faultOf(refused), { loc: ['body', 'events'], type: 'too_long' });
});

test.serial('tags of an execution: the 100th is taken, the 101st is 422, and at once as well', async (t) => {
  const one = newExecution();
  const tags = Array.from({ length: 100 }, () => newTag());
  t.is((await system.put(one, { tags: tags.slice(0, 99) })).status, 200);
  t.is((await system.put(one, { tags: tags.slice(99) })).status, 200);
  t.is((await system.put(one, { tags: [newTag()] })).status, 422);
  t.is((await system.put(newExecution(), { tags: [...tags, newTag()] })).status, 422);
});

// Refusing would close a browser's EventSource for good.
test.serial('catch-up readers: with 12 at a time every one has its 200 at once, and all of it', async (t) => {
  const many = newExecution();
  await system.put(many, { status: 'running' });
  const ids = await system.publishMany(many, 400, 15_000);
  const startMs = performance.now();
  const clients = await Promise.all(
    ids.slice(0, 12).map((id) => system.sse({ execution_id: many }, { 'last-event-id': id })),
  );
  t.deepEqual([...new Set(clients.map(({ status }) => status))], [200]);
  t.log(`12 heads after ${Math.round(performance.now() - startMs)} ms`);
  for (const [index, client] of clients.entries()) {
    await client.count(399 - index);
    t.deepEqual(client.ids, ids.slice(index + 1));
    client.cut();
  }
});

test.serial(
  '--publish-rate: above it 429 with Retry-After, below it 202; --bus-publish-rate says the same through the router',
  async (t) => {
    for (const option of ['--publish-rate=1', '--bus-publish-rate=1']) {
      const slow = await startSystem(t, [option]);
      const batch = { events: Array.from({ length: 1_000 }, (_, n) => eventAt(execution, `p${n}`)) };
      t.is((await slow.post(batch)).status, 202, 'a full batch is the least burst');
      const refused = await slow.post(batch);
      t.is(refused.status, 429, option);
      const seconds = Number(refused.headers.get('retry-after'));
      t.true(seconds > 900 && seconds <= 1_000, String(seconds));
      const body = (await refused.json()) as Record<string, unknown>;
      t.is(body['error_code'], 'PUBLISH_RATE_EXCEEDED');
      t.is((await slow.json(`/api/v1/executions/${execution}`))['events'], 1_000);
      await slow.stop();
    }
  },
);
