import test from 'ava';
import { eventAt, newExecution, newTag } from '../support/execution-names.ts';
import { seeded } from '../support/seed.ts';
import type { SseClient } from '../support/sse-client.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

/** No gap and no duplicate at the seam between what was and what comes, whenever a client joins. */

const owner = ownerOf(test);
let system: System;

test.before(async () => {
  system = await startSystem(owner, ['--window-bytes=4MiB']);
});

interface Published {
  readonly id: string;
  readonly execution: string;
}

test.serial(
  'many clients join with cursors at random while events flow; each gets exactly its own, in order',
  async (t) => {
    const random = seeded(t);
    const executions = Array.from({ length: 4 }, newExecution);
    for (const execution of executions) await system.put(execution, { status: 'running' });
    const published: Published[] = [];
    const metadata = { fill: 'x'.repeat(1_000) };

    const publishing = (async () => {
      for (let round = 0; round < 150; round += 1) {
        const batch = Array.from({ length: 1 + random.below(80) }, () =>
          eventAt(random.pick(executions), 'a', { metadata }),
        );
        const ids = await system.publish(...batch);
        published.push(...ids.map((id, index) => ({ id, execution: batch[index]?.execution_id ?? '' })));
      }
      for (const execution of executions) await system.put(execution, { status: 'completed' });
    })();

    interface Joined {
      readonly client: SseClient;
      readonly watched: readonly string[];
      readonly after: string;
    }
    const joined: Joined[] = [];
    const joining = (async () => {
      while (published.length === 0) await Promise.race([publishing, system.json('/healthz')]);
      for (let count = 0; count < 80; count += 1) {
        const after = random.oneIn(8) ? 'earliest' : random.pick(published).id;
        const watched = executions.filter(
          (execution, index) => index === count % 4 || (execution !== '' && random.oneIn(3)),
        );
        joined.push({
          client: await system.sse({ execution_id: watched }, { 'last-event-id': after }),
          watched,
          after: after === 'earliest' ? '' : after,
        });
      }
    })();
    await Promise.all([publishing, joining]);
    for (const { client, watched, after } of joined) {
      await client.end();
      const expected = published
        .filter(({ id, execution }) => id > after && watched.includes(execution))
        .map(({ id }) => id);
      if (JSON.stringify(client.ids) !== JSON.stringify(expected)) {
        t.fail(`after ${after}: ${client.eventCount} events, not ${expected.length}`);
      }
      t.is(client.received.at(-1)?.event, 'done');
    }
  },
);

test.serial(
  'clients that are cut and come back with their last id have everything once, whatever the moment',
  async (t) => {
    const random = seeded(t);
    const tag = newTag();
    const execution = newExecution();
    await system.put(execution, { status: 'running', tags: [tag] });
    const wanted: string[] = [];
    let over = false;
    const publishing = (async () => {
      for (let round = 0; round < 120; round += 1) {
        wanted.push(...(await system.publishMany(execution, 1 + random.below(60), 800)));
      }
      await system.put(execution, { status: 'completed' });
      over = true;
    })();
    const follow = async (): Promise<string[]> => {
      const got: string[] = [];
      let cursor = 'earliest';
      for (;;) {
        const client = await system.sse({ execution_id: tag }, { 'last-event-id': cursor });
        if (client.status === 204) return got;
        const enough = 1 + random.below(300);
        await client.until((one) => one.ended || one.eventCount >= enough || (over && one.named('done').length > 0));
        got.push(...client.ids.map(String));
        cursor = client.lastId ?? cursor;
        const done = client.named('done').length > 0;
        client.cut();
        if (done) return got;
      }
    };
    const all = await Promise.all(Array.from({ length: 12 }, follow));
    await publishing;
    for (const got of all) {
      if (JSON.stringify(got) !== JSON.stringify(wanted)) t.fail(`${got.length} events, not ${wanted.length}`);
    }
    t.true(wanted.length > 1_000);
  },
);
