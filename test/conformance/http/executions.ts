import { type Check, equal, holds, matches } from '../kit/check.ts';
import {
  errorResponse,
  eventAt,
  executionsPath,
  faultsOf,
  type HttpDoor,
  type Json,
  jsonOf,
  newExecution,
  newTag,
} from './door.ts';

export const executionChecks: readonly Check<HttpDoor>[] = [
  {
    id: 'http/executions/put-and-get',
    section: 'executions: PUT',
    run: async (door) => {
      const [execution, tag] = [newExecution(), newTag()];
      const put = await door.change(execution, { status: 'running', tags: [tag] });
      equal([put['execution_id'], put['status'], put['tags']], [execution, 'running', [tag]], 'the answer of PUT');
      matches(put['last_event_id'], /^[0-9a-f-]{36}$/, 'last_event_id');
      const got = await door.execution(execution.toUpperCase());
      equal([got['execution_id'], got['status'], got['tags']], [execution, 'running', [tag]], 'GET, any case');
    },
  },
  {
    id: 'http/executions/counts',
    section: 'executions: GET',
    run: async (door) => {
      const execution = await door.running();
      const at = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];
      await door.publish(...at.map((time, index) => eventAt(execution, `${index}`, { time, size: 100 + index })));
      const got = await door.execution(execution);
      equal([got['events'], got['bytes']], [2, 201], 'events and bytes');
      equal(
        [got['first_event_time'], got['last_event_time']].map((time) => Date.parse(String(time))),
        at.map(Date.parse),
        'first and last event time',
      );
    },
  },
  {
    id: 'http/executions/finality',
    section: 'executions: Status',
    run: async (door) => {
      const execution = await door.running();
      await door.change(execution, { status: 'failed', reason: 'disk' });
      for (const status of ['running', 'completed', 'pending', 'cancelled']) {
        errorResponse(await door.put(execution, { status }), 409);
      }
      equal((await door.execution(execution))['status'], 'failed', 'it stays as it was');
    },
  },
  {
    id: 'http/executions/terminal-again',
    section: 'executions: Status',
    run: async (door) => {
      const execution = await door.running();
      await door.change(execution, { status: 'failed', reason: 'disk' });
      const first = await door.execution(execution);
      await door.change(execution, { status: 'failed' });
      // last_event_id is where to subscribe, so it may move on with the writes of others.
      const { last_event_id } = first;
      const again = { ...(await door.execution(execution)), last_event_id };
      equal(again, first, 'a change that changes nothing appends nothing');
    },
  },
  {
    id: 'http/executions/any-status-to-any',
    section: 'executions: Status',
    run: async (door) => {
      const execution = newExecution();
      for (const status of ['pending', 'running', 'pending', 'running', 'running', 'cancelled']) {
        equal((await door.change(execution, { status }))['status'], status, status);
      }
    },
  },
  {
    id: 'http/executions/tags-united',
    section: 'executions: PUT',
    run: async (door) => {
      const [first, second, third] = [newTag(), newTag(), newTag()];
      const execution = await door.running(second);
      await door.change(execution, { tags: [first, second] });
      await door.change(execution, { status: 'completed' });
      const body = await door.change(execution, { tags: [third] });
      equal(
        new Set(body['tags'] as unknown[]),
        new Set([first, second, third]),
        'tags are only added, after the end too',
      );
      equal(body['status'], 'completed', 'the status');
    },
  },
  {
    id: 'http/executions/put-refused',
    section: 'executions: PUT',
    run: async (door) => {
      const execution = newExecution();
      const bodies: readonly (readonly [Json, readonly unknown[]])[] = [
        [{}, ['body']],
        [{ status: 'gone' }, ['body', 'status']],
        [{ tags: [''] }, ['body', 'tags', 0]],
        [{ tags: ['x'.repeat(129)] }, ['body', 'tags', 0]],
        [{ tags: ['a\nb'] }, ['body', 'tags', 0]],
        [{ tags: [newExecution()] }, ['body', 'tags', 0]],
        [{ status: 'running', reason: 'x'.repeat(1_025) }, ['body', 'reason']],
      ];
      for (const [body, loc] of bodies) {
        const answer = await door.put(execution, body);
        equal(answer.status, 422, JSON.stringify(body));
        equal(faultsOf(answer)[0]?.['loc'], loc, `loc of ${JSON.stringify(body).slice(0, 80)}`);
      }
      equal((await door.put('nightly', { status: 'running' })).status, 422, 'an id that is no UUID');
      equal((await door.ask({ path: `${executionsPath}/${execution}` })).status, 404, 'nothing is appended');
      await door.change(execution, { status: 'failed', tags: ['ü'.repeat(64)], reason: 'x'.repeat(1_024) });
    },
  },
  {
    id: 'http/executions/not-found',
    section: 'executions: GET',
    run: async (door) => {
      const unknown = newExecution();
      const body = errorResponse(await door.ask({ path: `${executionsPath}/${unknown}` }), 404);
      equal(body['detail'], `Execution not found: ${unknown}`, 'detail');
    },
  },
  {
    id: 'http/executions/pages',
    section: 'executions: List',
    run: async (door) => {
      const tag = newTag();
      const executions: string[] = [];
      for (let count = 0; count < 7; count += 1) executions.push(await door.running(tag));
      const seen: unknown[] = [];
      let cursor: unknown = '';
      do {
        const page = await list(door, { tag, limit: '3', cursor: String(cursor) });
        holds(page.ids.length <= 3, 'at most limit', page.ids.length);
        seen.push(...page.ids);
        cursor = page.next;
        holds(seen.length <= 7, 'each execution once', seen);
      } while (typeof cursor === 'string');
      equal(new Set(seen), new Set(executions), 'all of them');
      equal(seen.length, 7, 'each execution once');
    },
  },
  {
    id: 'http/executions/list-filters',
    section: 'executions: List',
    run: async (door) => {
      const tag = newTag();
      const [running, completed] = [await door.running(tag), await door.running(tag)];
      await door.change(completed, { status: 'completed' });
      equal((await list(door, { tag, status: 'completed' })).ids, [completed], 'by tag and status');
      equal((await list(door, { tag, status: 'running' })).ids, [running], 'the other');
      equal((await list(door, { tag: newTag() })).ids, [], 'a tag that nobody has');
      for (const query of [{ status: 'gone' }, { limit: '0' }, { limit: 'x' }]) {
        equal((await door.ask({ path: executionsPath, query })).status, 422, JSON.stringify(query));
      }
    },
  },
];

async function list(
  door: HttpDoor,
  query: Readonly<Record<string, string>>,
): Promise<{ ids: unknown[]; next: unknown }> {
  const answer = await door.ask({ path: executionsPath, query });
  equal(answer.status, 200, `the list of ${JSON.stringify(query)}`);
  const { executions, next_cursor } = jsonOf(answer);
  holds(Array.isArray(executions), 'executions is a list', executions);
  return { ids: (executions as Json[]).map(({ execution_id }) => execution_id), next: next_cursor };
}
