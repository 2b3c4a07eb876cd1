import test from 'ava';
import { parseStreamQuery } from '../../src/edge/stream/parameters.ts';
import { startEdge } from '../support/edge-server.ts';
import { type ConformanceCase, conformanceCases, type ParsedExpectation, runConformanceCases } from './cases.ts';

/** What the pure parser makes of a case's query, and the header's first value. */
function parsedOf({ request }: ConformanceCase): ParsedExpectation {
  const parsed = parseStreamQuery(request.query);
  if (parsed.kind === 'invalid') throw new TypeError(`refused: ${JSON.stringify(parsed.faults)}`);
  const { execution_id, stage = null, path = null, extension = null, timeout, keep_open } = parsed.parameters;
  const header = Object.entries(request.headers).find(([name]) => name.toLowerCase() === 'last-event-id')?.[1];
  const lastEventId = header === undefined ? null : typeof header === 'string' ? header : (header[0] ?? null);
  return { execution_id, stage, path, extension, timeout, keep_open, last_event_id: lastEventId };
}

// Without this, a client written against the original would meet other statuses or bodies here.
test('every case of validation_cases.json holds against the real server', async (t) => {
  const server = await startEdge(t);
  const results = await runConformanceCases(server.baseUrl, parsedOf);
  t.is(results.length, conformanceCases().length);
  t.true(results.length >= 100);
  t.deepEqual(
    results.filter((result) => result.failure !== null),
    [],
  );
});

// Without this, the parser could be right and the server still lose a repeated header or mangle the raw query on the way.
test('what the server hands to the shard is what the case says was parsed', async (t) => {
  const server = await startEdge(t);
  await runConformanceCases(server.baseUrl);
  const passing = conformanceCases().filter((testCase) => testCase.expect.outcome === 'validation_pass');
  t.is(server.door.requests.length, passing.length);
  for (const [index, { id, expect }] of passing.entries()) {
    const request = server.door.requests[index];
    const parsed = expect.parsed;
    if (request === undefined || parsed === undefined) {
      t.fail(id);
      continue;
    }
    t.is(request.timeoutMs, Math.ceil(parsed.timeout * 1000), id);
    t.is(request.keepOpen, parsed.keep_open, id);
    t.deepEqual(request.values, [...new Set(parsed.execution_id)], id);
    t.is(request.filter.stage, parsed.stage === '' ? null : parsed.stage, id);
    const header = parsed.last_event_id ?? '';
    const cursor = request.cursor;
    const text = cursor.kind === 'after' ? cursor.id : cursor.kind === 'malformed' ? cursor.text : '';
    t.is(text, header, id);
  }
});
