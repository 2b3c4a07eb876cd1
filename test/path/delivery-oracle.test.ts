import { randomUUID } from 'node:crypto';
import test from 'ava';
import { type ClientPlan, type ClientReport, DeliveryClient } from '../support/delivery-client.ts';
import { DeliveryModel, seedOfRun } from '../support/delivery-model.ts';
import { type Random, randomFrom } from '../support/seed.ts';
import { type System, startSystem } from '../support/system.ts';

const drivers = 4;
const stepsPerDriver = 90;
const clientsAtStart = 45;
const clientsLater = 15;

const stages = ['boost', 'boost/routines', 'boost/summary', 'boosted', 'ingest', 'publish/final', 'a/b/c/d'];
const paths = [
  'reports/summary.md',
  'reports/deep/er/x.MD',
  'data/part.json',
  'data.json',
  'x.tar.gz',
  'README',
  'img/.md',
];
const stagePrefixes = ['boost', 'boost*', 'boost/routines', '/ingest/', 'publish', 'a/b', 'a/b/c*', 'nothing'];
const pathPrefixes = ['reports', 'reports/deep', 'data', 'data*', 'img', 'x.tar.gz', 'rep*'];
const extensions = ['md', '.MD', 'json', 'tar.gz', '.gz', 'nope'];
const tags = ['t0', 't1', 't2'];
const terminals = ['completed', 'failed', 'cancelled'] as const;

/** What publishes and changes: each driver owns its executions, so that the order of what it does to one of them is known. */
class Driver {
  readonly #system: System;
  readonly #model: DeliveryModel;
  readonly #random: Random;
  readonly executions: string[] = [];
  readonly #over = new Set<string>();

  constructor(system: System, model: DeliveryModel, random: Random) {
    this.#system = system;
    this.#model = model;
    this.#random = random;
  }

  async run(): Promise<void> {
    for (let step = 0; step < stepsPerDriver; step += 1) {
      const kind = this.#random.below(20);
      const executionId = this.#random.pick(this.executions);
      if (kind === 0) await this.put(executionId, { tags: [this.#random.pick(tags)] });
      else if (kind === 1) await this.put(randomUUID(), { status: 'pending', tags: [this.#random.pick(tags)] });
      else if (kind === 2 && this.executions.length > 3) await this.end(executionId);
      else if (kind === 3)
        await this.put(executionId, this.#over.has(executionId) ? { tags: ['t9'] } : { status: 'running' });
      else await this.#publish();
    }
  }

  async end(executionId: string): Promise<void> {
    if (this.#over.has(executionId)) return;
    await this.put(executionId, { status: this.#random.pick(terminals) });
    this.#over.add(executionId);
  }

  async put(executionId: string, body: { readonly status?: string; readonly tags?: readonly string[] }): Promise<void> {
    const after = this.#model.newestId;
    const answer = await this.#system.put(executionId, body);
    if (answer.status !== 200) throw new TypeError(`PUT ${JSON.stringify(body)}: ${JSON.stringify(answer)}`);
    if (!this.executions.includes(executionId)) this.executions.push(executionId);
    const terminal = terminals.some((status) => status === body.status);
    const until = String(answer.body['last_event_id']);
    this.#model.changed(executionId, body.tags ?? [], terminal, { after, until });
  }

  async #publish(): Promise<void> {
    const random = this.#random;
    const events = Array.from({ length: 1 + random.below(40) }, () => ({
      executionId: random.pick(this.executions),
      stage: random.pick(stages),
      path: random.oneIn(3) ? `reports/${random.below(1_000)}.md` : random.pick(paths),
    }));
    // A tenth is large, so that readers who stop are felt and the window is lapped several times.
    const ids = await this.#system.publish(
      ...events.map(({ executionId, stage, path }) => ({
        execution_id: executionId,
        stage,
        path,
        metadata: random.oneIn(8) ? large : { n: 'x'.repeat(random.below(200)) },
      })),
    );
    this.#model.published(events, ids);
  }
}

const large: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 30 }, (_, index) => [`key${index}`, 'v'.repeat(1_000)] as const),
);

function planOf(random: Random, known: readonly string[]): ClientPlan {
  const wide = random.oneIn(8);
  const values = new Set(
    Array.from({ length: 1 + random.below(3) }, () => random.pick(random.oneIn(2) ? tags : known)),
  );
  const part = (of: readonly string[]): string | null => (wide || random.oneIn(2) ? null : random.pick(of));
  const controlEvents = !random.oneIn(8);
  return {
    values: wide ? tags : [...values],
    stage: part(stagePrefixes),
    path: part(pathPrefixes),
    extension: part(extensions),
    keepOpen: random.oneIn(2),
    controlEvents,
    // Without control events there is no id before the first event: a cut there could not be resumed from live.
    earliest: !controlEvents || random.oneIn(2),
    timeout: random.oneIn(5) ? 1 : 300,
  };
}

/** Every fault, and what was lost or invented, in words that a failing run can be understood by. */
function faultsOf(report: ClientReport, plan: ClientPlan, model: DeliveryModel): string[] {
  const faults = [...report.faults];
  const expected = model.owed(plan, report.start, report.end);
  const received = new Set(report.received);
  const owed = new Set(expected);
  const lost = expected.filter((id) => !received.has(id));
  const invented = report.received.filter((id) => !owed.has(id));
  for (const position of report.dones) {
    const open = model.openAt(plan, position);
    if (open.length > 0) faults.push(`done at ${position} although ${open.join()} was not over`);
  }
  if (lost.length > 0) faults.push(`lost ${lost.length} of ${expected.length}, first ${lost[0] ?? ''}`);
  if (invented.length > 0) faults.push(`${invented.length} that it was not owed, first ${invented[0] ?? ''}`);
  return faults.length === 0 ? [] : [...faults, JSON.stringify({ plan, start: report.start, end: report.end })];
}

async function parksOf(system: System): Promise<number> {
  const text = await (await fetch(new URL('/metrics', system.ops))).text();
  const counts = [...text.matchAll(/^rivulet_parks_total\S* (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

test('every client gets what the model says: each event once, in order, whatever is cut, paused, tagged or ended', async (t) => {
  t.timeout(110_000);
  const seed = seedOfRun();
  t.log(`seed ${seed}: RIVULET_SEED=${seed} repeats it`);
  const random = randomFrom(seed);
  const fork = (): Random => randomFrom(random.below(2 ** 31));
  const system = await startSystem(t, ['--window-bytes=4MiB']);
  const model = new DeliveryModel();
  const all = Array.from({ length: drivers }, () => new Driver(system, model, fork()));
  for (const [index, driver] of all.entries()) {
    for (const tag of ['t0', 't1', 't2', null]) {
      await driver.put(randomUUID(), { status: 'pending', tags: tag === null ? [`d${index}`] : [tag] });
    }
  }
  const known = all.flatMap(({ executions }) => [...executions]);
  const clients: DeliveryClient[] = [];
  const running: Promise<ClientReport>[] = [];
  const connect = (count: number): void => {
    for (let client = 0; client < count; client += 1) {
      const next = new DeliveryClient(planOf(random, known), system, model, fork());
      clients.push(next);
      running.push(next.run());
    }
  };
  connect(clientsAtStart);
  const driving = Promise.all(all.map((driver) => driver.run()));
  for (let client = 0; client < clientsLater; client += 1) {
    await model.progress(300);
    connect(1);
  }
  await driving;
  for (const driver of all) for (const executionId of driver.executions) await driver.end(executionId);
  model.finish();
  const reports = await Promise.all(running);
  const faults = reports.flatMap((report, index) => {
    const plan = clients[index]?.plan;
    return plan === undefined ? [] : faultsOf(report, plan, model);
  });
  const sum = (of: (report: ClientReport) => number): number => reports.reduce((total, one) => total + of(one), 0);
  const parks = await parksOf(system);
  t.log(
    `${model.events.length} events, ${sum((one) => one.received.length)} deliveries, ${sum((one) => one.connections)} connections, ` +
      `${sum((one) => one.pauses)} pauses, ${reports.filter(({ end }) => end !== null).length} ended by the server, ${parks} parks`,
  );
  t.deepEqual(faults, []);
  t.true(sum((one) => one.received.length) > 10_000 && parks > 0, 'the run must be worth its name');
});
