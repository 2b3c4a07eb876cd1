import { randomInt } from 'node:crypto';
import { type Filter, parseFilter } from '../../src/core/filter.ts';
import { naiveMatches } from './naive-match.ts';

/** What a client asked for: values of `execution_id`, and a filter as the query spells it. */
export interface Watch {
  readonly values: readonly string[];
  readonly stage: string | null;
  readonly path: string | null;
  readonly extension: string | null;
}

/** The query of a stream on a watch. */
export function queryOf(
  { values, stage, path, extension }: Watch,
  { keepOpen, controlEvents }: { readonly keepOpen: boolean; readonly controlEvents: boolean },
): Record<string, string | readonly string[]> {
  return {
    execution_id: values,
    keep_open: String(keepOpen),
    control_events: String(controlEvents),
    ...(stage === null ? {} : { stage }),
    ...(path === null ? {} : { path }),
    ...(extension === null ? {} : { extension }),
  };
}

export interface ModelEvent {
  readonly id: string;
  readonly executionId: string;
  readonly stage: string;
  readonly path: string;
  /** Those that its execution had when it was published. */
  readonly tags: readonly string[];
}

/** A change happened somewhere behind `after` and at or before `until`. Ids sort in journal order. */
interface Bracket {
  readonly after: string;
  readonly until: string;
}

interface ModelExecution {
  readonly tags: Map<string, Bracket>;
  terminal: Bracket | null;
}

/** A watch on these values without any filter, or with the parts given. */
export function watchOf(values: readonly string[], parts: Partial<Watch> = {}): Watch {
  return { values, stage: null, path: null, extension: null, ...parts };
}

/** The seed of a run: RIVULET_SEED repeats one. */
export function seedOfRun(): number {
  const given = process.env['RIVULET_SEED'];
  return given === undefined ? randomInt(2 ** 32) : Number(given);
}

/**
 * Everything that was acknowledged, and what each client is owed of it, in the obvious way: a list and a loop. Written from the API's
 * words; it shares nothing with the index, the window or the catch-up.
 */
export class DeliveryModel {
  readonly events: ModelEvent[] = [];
  readonly executions = new Map<string, ModelExecution>();
  /** No more will be published, and every execution is over. */
  finished = false;
  #newestId = '';
  readonly #waiters = new Set<() => void>();

  /** The greatest id that has been acknowledged to anybody. */
  get newestId(): string {
    return this.#newestId;
  }

  published(events: readonly Omit<ModelEvent, 'id' | 'tags'>[], ids: readonly string[]): void {
    for (const [index, event] of events.entries()) {
      const tags = [...this.#execution(event.executionId).tags.keys()];
      this.events.push({ ...event, id: ids[index] ?? '', tags });
    }
    this.#saw(ids.at(-1) ?? '');
    this.#wake();
  }

  /** `bracket.after`: `newestId` before the request; `bracket.until`: the position in its answer. */
  changed(executionId: string, tags: readonly string[], terminal: boolean, bracket: Bracket): void {
    const execution = this.#execution(executionId);
    for (const tag of tags) if (!execution.tags.has(tag)) execution.tags.set(tag, bracket);
    if (terminal) execution.terminal ??= bracket;
    this.#saw(bracket.until);
  }

  finish(): void {
    this.finished = true;
    this.#wake();
  }

  /** Settles when so many more events have been acknowledged, or none will. */
  progress(count: number): Promise<void> {
    const target = this.events.length + count;
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.events.length < target && !this.finished) return;
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
      look();
    });
  }

  /** Ids of the events that match, behind `after` (null: all) and up to `until` (null: all), in journal order. */
  owed(watch: Watch, after: string | null, until: string | null): string[] {
    return owedOf(this.events, watch, after, until).sort();
  }

  /** Executions that were certainly watched at `position` and certainly not over there: with one of them, `done` was not owed. */
  openAt(watch: Watch, position: string): string[] {
    const open: string[] = [];
    for (const [executionId, { tags, terminal }] of this.executions) {
      const tagged = [...tags].some(([tag, { until }]) => watch.values.includes(tag) && until <= position);
      if (!tagged && !watch.values.includes(executionId)) continue;
      if (terminal === null || terminal.after >= position) open.push(executionId);
    }
    return open;
  }

  #execution(executionId: string): ModelExecution {
    let execution = this.executions.get(executionId);
    if (execution === undefined) {
      execution = { tags: new Map(), terminal: null };
      this.executions.set(executionId, execution);
    }
    return execution;
  }

  #saw(id: string): void {
    if (id > this.#newestId) this.#newestId = id;
  }

  #wake(): void {
    for (const look of this.#waiters) look();
  }
}

/** Ids of the events that a watch is owed, behind `after` (null: all) and up to `until` (null: all), in the order of `events`. */
export function owedOf(
  events: readonly ModelEvent[],
  watch: Watch,
  after: string | null,
  until: string | null,
): string[] {
  const filter = parseFilter(watch.stage, watch.path, watch.extension);
  const ids: string[] = [];
  for (const event of events) {
    if (after !== null && event.id <= after) continue;
    if (until !== null && event.id > until) continue;
    if (matches(watch, filter, event)) ids.push(event.id);
  }
  return ids;
}

function matches(watch: Watch, filter: Filter, event: ModelEvent): boolean {
  const watched = watch.values.includes(event.executionId) || event.tags.some((tag) => watch.values.includes(tag));
  return watched && naiveMatches(filter, event.stage, event.path);
}
