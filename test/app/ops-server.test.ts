import test from 'ava';
import { type HealthProbe, startOpsServer } from '../../src/app/commands/ops-server.ts';
import { StartError } from '../../src/core/failure.ts';

test('the operator port answers /metrics, /healthz, and nothing else', async (t) => {
  let health: HealthProbe | null = null;
  let metrics = (): Promise<string> => Promise.resolve('rivulet_connections 3\n');
  const ops = await startOpsServer('127.0.0.1', 0, { metrics: () => metrics(), health: () => health });
  t.teardown(() => ops.stop());
  const get = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`http://127.0.0.1:${ops.port}${path}`, { method });
  const answer = await get('/metrics');
  t.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.is(await answer.text(), 'rivulet_connections 3\n');
  t.is(await (await get('/healthz')).text(), '{"status":"ok","shards":[]}\n');
  health = { healthy: false, report: { status: 'failing', shards: [{ shard: 0, responsive: false }] } };
  const sick = await get('/healthz');
  t.is(sick.status, 503);
  t.deepEqual(await sick.json(), health.report);
  t.is((await get('/')).status, 404);
  const post = await get('/metrics', 'POST');
  t.is(post.status, 405);
  t.is(post.headers.get('allow'), 'GET, HEAD');
  metrics = () => Promise.reject(new StartError('the router is starting', 1));
  const early = await get('/metrics');
  t.is(early.status, 503);
  t.is(await early.text(), 'metrics are not available: the router is starting\n');
});

test('stop closes connections that are kept alive', async (t) => {
  const ops = await startOpsServer('127.0.0.1', 0, { metrics: () => Promise.resolve(''), health: () => null });
  await (await fetch(`http://127.0.0.1:${ops.port}/healthz`)).text();
  await ops.stop();
  await t.throwsAsync(() => fetch(`http://127.0.0.1:${ops.port}/healthz`));
});
