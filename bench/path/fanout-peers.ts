import { parseArgs } from 'node:util';
import { type Figure, figure } from '../harness.ts';
import type { Unmeasured } from '../report/result.ts';
import { BenchError } from './bench-error.ts';
import { compileLoadClient } from './load-client.ts';
import { reportPath } from './path-report.ts';
import { type Pattern, type PeerRun, runPeer } from './peer-run.ts';
import { reasonOf, type Started, startPeers } from './peers/contenders.ts';
import { rivulet } from './peers/rivulet.ts';
import { pinSelf } from './pinning.ts';
import { withDirectory } from './server-process.ts';

/**
 * Topology fan-out, the whole system: one publisher → server → N streams, Rivulet against the servers that others use for it, one after another in each
 * round. Rivulet's way includes the bus and the flushed journal; the others' is memory only.
 *
 *   saturated   `ahead` events are published and not yet received by all, each in a call of its own; throughput is from the first publish to the last
 *               delivery. Rivulet once more with `batch` events in a call, which the others have no call for.
 *   paced       `rate` events a second, latency from the time each was due (coordinated omission corrected)
 */
const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'saturated' },
    streams: { type: 'string', default: '1000' },
    batch: { type: 'string', default: '16' },
    ahead: { type: 'string', default: '64' },
    rate: { type: 'string', default: '100' },
    events: { type: 'string', default: '2000' },
    runs: { type: 'string', default: '3' },
    /** Saturated, of each server before the first paced run: until V8 has compiled a path that carries some hundred events a second, its compiler is what is measured. */
    'warm-events': { type: 'string', default: '3000' },
    /** Some of the peers only, by name. */
    peer: { type: 'string', multiple: true, default: [] },
    'load-processes': { type: 'string', default: '1' },
    name: { type: 'string', default: '' },
  },
});
const paced = values.mode === 'paced';
const pattern: Pattern = {
  mode: paced ? 'paced' : 'saturated',
  streams: Number(values.streams),
  events: Number(values.events),
  ahead: Number(values.ahead),
  perCall: 1,
  rate: Number(values.rate),
  loadProcesses: Number(values['load-processes']),
};
const batch = Number(values.batch);

interface Contender extends Pick<Started, 'server'> {
  readonly name: string;
  readonly pattern: Pattern;
  readonly own: boolean;
}

function contendersOf(started: readonly Started[]): Contender[] {
  return started.flatMap(({ peer, server }) => {
    const own = peer === rivulet;
    const one: Contender = { name: peer.name, server, pattern, own };
    const batches = { ...one, name: `${peer.name}, ${batch} events a call`, pattern: { ...pattern, perCall: batch } };
    return own && !paced && batch > 1 ? [one, batches] : [one];
  });
}

function shown(run: PeerRun): void {
  const ms = (value: number | null): string => value?.toFixed(2) ?? 'not recorded';
  process.stdout.write(
    `  ${run.peer.padEnd(28)} ${Math.round(run.deliveriesPerSecond)}/s  ${Math.round(run.deliveriesPerCpuSecond)}/cpu-s  client ${ms(run.clientCpuShare)}` +
      `  p50 ${ms(run.p50Ms)} p99 ${ms(run.p99Ms)} p99.9 ${ms(run.p999Ms)} max ${ms(run.maxMs)}  answered p50 ${ms(run.answerP50Ms)} p99 ${ms(run.answerP99Ms)}` +
      `  from the answer p50 ${ms(run.fromAnswerP50Ms)} p99 ${ms(run.fromAnswerP99Ms)} ms\n`,
  );
}

type Column = readonly [name: string, unit: string, read: (run: PeerRun) => number | null];

const throughput: readonly Column[] = [
  ['deliveries', 'per second', (run) => run.deliveriesPerSecond],
  ['deliveries of a server CPU second', '', (run) => run.deliveriesPerCpuSecond],
];
const latency: readonly Column[] = [
  ['p50', 'ms', (run) => run.p50Ms],
  ['p99', 'ms', (run) => run.p99Ms],
  ['p99.9', 'ms', (run) => run.p999Ms],
  ['max', 'ms', (run) => run.maxMs],
  ['p99 to the publish answer', 'ms', (run) => run.answerP99Ms],
  ['p50 from the answer', 'ms', (run) => run.fromAnswerP50Ms],
  ['p99 from the answer', 'ms', (run) => run.fromAnswerP99Ms],
];

function figuresOf(runs: readonly PeerRun[], contenders: readonly Contender[]): Figure[] {
  const of = (name: string, read: Column[2]): number[] =>
    runs
      .filter(({ peer }) => peer === name)
      .map(read)
      .filter((value) => value !== null);
  const columns = paced ? latency : throughput;
  const [title, , read] = paced ? (['p99', '', (run: PeerRun) => run.p99Ms] as const) : (throughput[0] as Column);
  const ratios = contenders
    .filter(({ own }) => own)
    .flatMap((ours) =>
      contenders
        .filter(({ own }) => !own)
        .map(({ name }) => {
          const [mine, theirs] = [of(ours.name, read), of(name, read)];
          // Only pairs of one round: a void run leaves the counts unequal, and then nothing is divided.
          const pairs =
            mine.length === theirs.length ? mine.map((value, round) => value / (theirs[round] as number)) : [];
          return figure(`${title}, ${ours.name} to ${name}`, '', pairs);
        }),
    );
  return [
    ...contenders.flatMap(({ name }) =>
      columns.map(([column, unit, value]) => figure(column, unit, of(name, value), name)),
    ),
    ...ratios,
    figure('load client CPU, at most', 'cores', [Math.max(...runs.map((run) => run.clientCpuShare))]),
  ];
}

// So that the peers end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

pinSelf();
compileLoadClient();
await withDirectory(async (directory) => {
  const { started, skipped } = await startPeers(directory, values.peer);
  const contenders = contendersOf(started);
  const runs: PeerRun[] = [];
  const voids: Unmeasured[] = [];
  const ownVoids: string[] = [];
  const attempt = async ({ name, server, own }: Contender, round: number, one: Pattern): Promise<void> => {
    try {
      const run = await runPeer(name, server, one, directory);
      shown(run);
      // The first round warms all up.
      if (round > 0) runs.push(run);
    } catch (error) {
      process.stderr.write(`VOID: ${name}, round ${round}: ${reasonOf(error)}\n`);
      voids.push({ what: `${name}, round ${round}`, reason: reasonOf(error) });
      if (own) ownVoids.push(name);
    }
  };
  try {
    for (let round = 0; round <= Number(values.runs); round += 1) {
      for (const contender of contenders) {
        const { pattern: counted } = contender;
        const warming: Pattern = { ...counted, mode: 'saturated', events: Number(values['warm-events']) };
        await attempt(contender, round, paced && round === 0 ? warming : counted);
      }
    }
  } finally {
    for (const { server } of started) await server.stop();
  }
  reportPath(values.name === '' ? `fanout-peers-${values.mode}` : values.name, figuresOf(runs, contenders), {
    runs,
    versions: started.map(({ peer, server }) => `${peer.name} ${server.version}`),
    unmeasured: [...skipped, ...voids],
  });
  // A peer that fails is said; only ours fails the bench.
  if (ownVoids.length > 0) throw new BenchError(`void: ${ownVoids.join('; ')}`);
});
