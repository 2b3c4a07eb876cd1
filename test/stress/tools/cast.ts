import { type Watch, watchOf } from '../../support/delivery-model.ts';
import type { Random } from '../../support/seed.ts';
import type { System } from '../../support/system.ts';
import { hold, type StressContext } from '../scenario.ts';
import { Watcher, type WatcherPlan } from './watcher.ts';

const hexDigits = '0123456789abcdef';

/** A UUID that the seed decides. */
export function uuidFrom(random: Random): string {
  const digits = (count: number): string =>
    Array.from({ length: count }, () => hexDigits[random.below(16)] ?? '0').join('');
  return `${digits(8)}-${digits(4)}-4${digits(3)}-8${digits(3)}-${digits(12)}`;
}

/** Executions that run, and the tags that they have among them. */
export interface Cast {
  readonly executions: readonly string[];
  readonly tags: readonly string[];
}

const tagCount = 3;

/** New running executions; each has one of at most three tags. */
export async function castOf(context: StressContext, system: System, count: number): Promise<Cast> {
  const random = context.fork();
  const tags = Array.from({ length: Math.min(tagCount, count) }, (_, index) => `tag-${index}`);
  const executions: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const execution = uuidFrom(random);
    await mustPut(system, execution, { status: 'running', tags: [tags[index % tags.length] ?? ''] });
    executions.push(execution);
  }
  return { executions, tags };
}

/** Ends them all, so that every client that is not kept open is told `done`. */
export async function endAll(system: System, { executions }: Cast): Promise<void> {
  for (const execution of executions) await mustPut(system, execution, { status: 'completed' });
}

export async function mustPut(system: System, execution: string, body: Record<string, unknown>): Promise<string> {
  const answer = await system.put(execution, body);
  hold(answer.status === 200, () => `PUT ${execution} ${JSON.stringify(body)}: ${JSON.stringify(answer)}`);
  return String(answer.body['last_event_id']);
}

const stagePrefixes = ['boost', 'boost*', 'boost/routines', 'ingest', 'publish'];
const pathPrefixes = ['reports', 'reports/deep', 'data', 'rep*'];
const extensions = ['md', '.json', 'tar.gz'];

/** What one of the clients watches: some executions or tags, mostly without a filter or with one part. */
export function watchFrom(random: Random, { executions, tags }: Cast): Watch {
  const all = [...executions, ...tags];
  const values = new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(all)));
  const part = (of: readonly string[]): string | null => (random.oneIn(4) ? random.pick(of) : null);
  return watchOf([...values], { stage: part(stagePrefixes), path: part(pathPrefixes), extension: part(extensions) });
}

export interface Audience {
  readonly count: number;
  /** Where each goes, asked before each connection. */
  readonly base: (client: number) => string;
  readonly plan?: Partial<Pick<WatcherPlan, 'keepOpen' | 'controlEvents' | 'from' | 'timeout'>>;
}

/** Clients of every kind; the first watches everything from the beginning. Settles when each has been told where it begins. */
export async function audienceOf(context: StressContext, cast: Cast, audience: Audience): Promise<Watcher[]> {
  const watchers = Array.from({ length: audience.count }, (_, index) => {
    const random = context.fork();
    const first = index === 0;
    const plan: WatcherPlan = {
      name: `client ${index}`,
      watch: first ? watchOf(cast.executions) : watchFrom(random, cast),
      from: first || random.oneIn(3) ? 'earliest' : 'live',
      base: () => audience.base(index),
      ...audience.plan,
    };
    return new Watcher(plan, random).start(context);
  });
  await Promise.all(
    watchers.map((watcher) => (watcher.plan.controlEvents === false ? Promise.resolve() : watcher.ready())),
  );
  return watchers;
}

/** Cuts the connection of one of them now and then, until the answer is called. */
export function cutNowAndThen(context: StressContext, watchers: readonly Watcher[], everyMs: number): () => number {
  const random = context.fork();
  let cuts = 0;
  const timer = setInterval(() => {
    cuts += 1;
    random.pick(watchers).cut();
  }, everyMs);
  const stop = (): number => {
    clearInterval(timer);
    return cuts;
  };
  context.teardown(stop);
  return stop;
}
