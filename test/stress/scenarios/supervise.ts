import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type System, temporaryDirectory } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { hold, type Scenario, type StressContext } from '../scenario.ts';
import { audienceOf, castOf, cutNowAndThen } from '../tools/cast.ts';
import { upPlace } from '../tools/place.ts';
import { publishersOf, settle } from '../tools/settle.ts';

/** What breaks inside the process while it works, and comes back by itself. */

const preload = fileURLToPath(new URL('../../support/trouble.preload.js', import.meta.url));

const noticedMsMax = 5_000;

const readyLines = (system: System): string[] => system.out().trim().split('\n');

/** Null: nobody answered. */
async function health(system: System): Promise<{ readonly status: number; readonly silent: number } | null> {
  try {
    const response = await fetch(`${system.ops}/healthz`);
    const { shards } = (await response.json()) as { shards: { responsive: boolean }[] };
    return { status: response.status, silent: shards.filter(({ responsive }) => !responsive).length };
  } catch {
    return null;
  }
}

async function stuckUnderLoad(context: StressContext, rounds: number): Promise<void> {
  const file = join(await temporaryDirectory(context), 'trouble');
  const environment = { NODE_OPTIONS: `--import=${preload}`, TROUBLE_FILE: file };
  const up = await upPlace(context, { more: ['--supervise'], environment });
  const { system } = up;
  await system.untilReady('ready');
  const cast = await castOf(context, system, 9);
  const watchers = await audienceOf(context, cast, { count: 12, base: () => up.http });
  const publishers = publishersOf(context, cast, () => up.http);
  const random = context.fork();
  const stop = cutNowAndThen(context, watchers, 100);
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(publishers.map((publisher) => publisher.more(50 + random.below(300))));
    const before = readyLines(system);
    const startMs = performance.now();
    const sinceMs = (): number => Math.round(performance.now() - startMs);
    writeFileSync(`${file}.spin`, '');
    await until(async () => (await health(system))?.silent === 1, '/healthz names a shard that does not answer');
    const noticedMs = sinceMs();
    hold(noticedMs < noticedMsMax, `a stuck shard was on /healthz after ${noticedMs} ms`);
    hold((await health(system))?.status !== 200, '/healthz answers 200 with a stuck shard');
    context.checked('stuck shards on /healthz in time', 1);
    await until(() => readyLines(system).length > before.length, 'it serves again');
    context.log(`on /healthz after ${noticedMs} ms, serves again after ${sinceMs()} ms`);
    const [first] = before;
    hold(readyLines(system).at(-1) === first, () => `other ports than ${first ?? ''}: ${system.out()}`);
    context.checked('restarts on the same ports', 1);
  }
  await Promise.all(publishers.map((publisher) => publisher.more(100)));
  context.checked('cuts', stop());
  await settle(context, { http: up, bus: up.grpc, cast, watchers, publishers });
}

export const supervise: readonly Scenario[] = [
  {
    name: 'supervise: a shard is stuck under load',
    invariant:
      'Twice a shard’s thread stops under load: within 5 seconds /healthz names it, the process goes down and is served again on the same ports; every acknowledged event is in the journal once, and every client that comes back with its last id has exactly its matching events, each once and in order, without a gap.',
    quick: false,
    run: (context) => stuckUnderLoad(context, 2),
  },
];
