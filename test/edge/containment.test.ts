import test from 'ava';
import { systemClock } from '../../src/core/clock.ts';
import { startEdge } from '../support/edge-server.ts';
import { ask } from '../support/http-client.ts';

class Broken extends Error {
  override readonly name = 'Broken';
}

// The answer to a failure is made of the same parts as the failure: were it left out, the client would wait until it gives up.
test('a request whose very error cannot be answered is cut, told each time, and the next one is served', async (t) => {
  let broken = true;
  const clock = {
    ...systemClock,
    wallMs: () => {
      if (broken) throw new Broken('no time');
      return systemClock.wallMs();
    },
  };
  const { port, failures } = await startEdge(t, {}, clock);
  const headers = { 'Content-Type': 'application/json' };
  const asks = [
    { path: '/nope' },
    { path: '/healthz' },
    { method: 'POST', path: '/api/v1/storage/events', headers, body: 'x'.repeat(1_200_000) },
  ];
  for (const request of asks) await t.throwsAsync(ask(port, request), { code: 'ECONNRESET' }, request.path);
  t.is(failures.length, 6, 'the failure, and the failure to answer it');
  t.true(failures.every((failure) => failure instanceof Broken));
  broken = false;
  t.is((await ask(port, { path: '/nope' })).status, 404);
});
