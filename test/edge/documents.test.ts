import test from 'ava';
import { streamQuery } from '../../src/edge/stream/parameters.ts';
import { startEdge } from '../support/edge-server.ts';
import { ask } from '../support/http-client.ts';

type Json = Record<string, unknown>;

function at(value: unknown, ...keys: (string | number)[]): unknown {
  return keys.reduce<unknown>((found, key) => (found as Record<string | number, unknown>)[key], value);
}

test('openapi.json is 3.1 and describes every route and parameter that the code has', async (t) => {
  const { port } = await startEdge(t, { version: '9.8.7' });
  const answer = await ask(port, { path: '/openapi.json' });
  t.is(answer.headers['content-type'], 'application/json');
  const document = answer.json();
  t.is(document['openapi'], '3.1.0');
  t.is(at(document, 'info', 'version'), '9.8.7');
  const operation = at(document, 'paths', '/api/v1/storage/events', 'get');
  const parameters = at(operation, 'parameters') as Json[];
  t.deepEqual(
    parameters.filter((parameter) => parameter['in'] === 'query').map((parameter) => parameter['name']),
    Object.keys(streamQuery.shape),
  );
  const byName = new Map(parameters.map((parameter) => [parameter['name'], parameter]));
  t.like(byName.get('execution_id'), { required: true, schema: { type: 'array', maxItems: 1000 } });
  t.like(byName.get('timeout'), {
    required: false,
    schema: { type: 'number', minimum: 1, maximum: 3600, default: 300 },
  });
  t.like(byName.get('keep_open'), { schema: { type: 'boolean', default: false } });
  t.like(byName.get('control_events'), { schema: { type: 'boolean', default: true } });
  t.like(byName.get('Last-Event-ID'), { in: 'header', required: false });
  const stream = at(operation, 'responses', '200');
  t.truthy(at(stream, 'content', 'text/event-stream', 'schema'));
  for (const name of ['ready', 'gap', 'done', 'storage.object.created'])
    t.true(String(at(stream, 'description')).includes(name));
  t.deepEqual(Object.keys(at(operation, 'responses') as Json), ['200', '204', '403', '404', '422', '429', '503']);
  t.deepEqual(at(document, 'components', 'schemas', 'ErrorResponse', 'required'), [
    'detail',
    'error_code',
    'correlation_id',
    'timestamp',
  ]);
  t.deepEqual(Object.keys(at(document, 'components', 'schemas', 'ValidationError', 'properties') as Json), [
    'loc',
    'msg',
    'type',
    'input',
    'ctx',
  ]);
});

// An execution that the bus could not confirm absent is 503, and a foreign Host is 403 on every route: a generated client must know.
test('openapi.json lists 403 and 503 for each operation below /api', async (t) => {
  const { port } = await startEdge(t);
  const { paths } = (await ask(port, { path: '/openapi.json' })).json() as { paths: Record<string, Json> };
  for (const [path, item] of Object.entries(paths).filter(([name]) => name.startsWith('/api/'))) {
    for (const method of ['get', 'put', 'post'].filter((name) => name in item)) {
      const statuses = Object.keys(at(item, method, 'responses') as Json);
      t.true(statuses.includes('403') && statuses.includes('503'), `${method} ${path}`);
    }
  }
});

test('every reference in openapi.json points at something', async (t) => {
  const { port } = await startEdge(t);
  const answer = await ask(port, { path: '/openapi.json' });
  const references = answer.text.match(/"\$ref":"[^"]*"/g) ?? [];
  t.true(references.length > 10);
  for (const reference of references) {
    const path = (JSON.parse(`{${reference}}`) as { $ref: string }).$ref;
    t.truthy(at(answer.json(), ...path.slice(2).split('/')), path);
  }
  t.false(answer.text.includes('$defs'));
});

test('pages and their files come from the package with their types, a policy and nothing from outside', async (t) => {
  const { port } = await startEdge(t);
  for (const [path, type] of [
    ['/', 'text/html; charset=utf-8'],
    ['/docs', 'text/html; charset=utf-8'],
  ] as const) {
    const page = await ask(port, { path });
    t.is(page.status, 200);
    t.is(page.headers['content-type'], type);
    t.is(page.headers['x-content-type-options'], 'nosniff');
    const policy = String(page.headers['content-security-policy']);
    t.true(policy.startsWith("default-src 'none'; script-src 'self';"), policy);
    t.false(/https?:/.test(policy));
    // No inline script, style or handler: the policy would refuse them, silently.
    t.false(/<script(?![^>]* src=)|<style|\son\w+=|style=/.test(page.text), path);
    for (const [, file = ''] of page.text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
      const asset = await ask(port, { path: file });
      t.is(asset.status, 200, file);
      t.is(
        asset.headers['content-type'],
        file.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8',
      );
      t.true(asset.text.length > 80);
    }
    t.false(/(?:src|href)="(?:https?:)?\/\//.test(page.text));
  }
});

test('the home page writes with textContent only', async (t) => {
  const { port } = await startEdge(t);
  const script = await ask(port, { path: '/assets/home.js' });
  t.false(/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(/.test(script.text));
  t.true(script.text.includes("addEventListener('storage.object.created'"));
});
