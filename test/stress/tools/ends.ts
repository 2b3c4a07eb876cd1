import type { Watch } from '../../support/delivery-model.ts';
import { hold, type StressContext } from '../scenario.ts';
import type { Journal } from './journal.ts';
import type { Watcher } from './watcher.ts';

/** The number of `completed`, the first of the three statuses that are final. */
export const completedNumber = 3;

/** One execution as the journal tells it. */
interface Life {
  /** The id of its first terminal change. */
  terminal: string | null;
  /** The ids at which it got its tags. */
  readonly tags: Map<string, string>;
}

/** When executions ended and got their tags, told from the journal's records alone. */
export class Lives {
  readonly #lives = new Map<string, Life>();

  constructor({ records }: Journal) {
    for (const { id, event, change } of records) {
      const life = this.#life(change?.execution_id ?? event?.execution_id ?? '');
      for (const tag of change?.tags ?? []) if (!life.tags.has(tag)) life.tags.set(tag, id);
      if ((change?.status ?? 0) >= completedNumber) life.terminal ??= id;
    }
  }

  /** Executions that a watch stood for at a position. */
  watchedAt({ values }: Watch, position: string): string[] {
    const watched: string[] = [];
    for (const [execution, { tags }] of this.#lives) {
      const tagged = [...tags].some(([tag, since]) => values.includes(tag) && since <= position);
      if (tagged || values.includes(execution)) watched.push(execution);
    }
    return watched;
  }

  /** Those of them that were not over there. */
  openAt(watch: Watch, position: string): string[] {
    return this.watchedAt(watch, position).filter((execution) => {
      const terminal = this.terminalOf(execution);
      return terminal === null || terminal > position;
    });
  }

  terminalOf(execution: string): string | null {
    return this.#lives.get(execution)?.terminal ?? null;
  }

  #life(execution: string): Life {
    let life = this.#lives.get(execution);
    if (life === undefined) {
      life = { terminal: null, tags: new Map() };
      this.#lives.set(execution, life);
    }
    return life;
  }
}

/** Waits until each was told that no more can come. One that has got nothing new for so many seconds is stuck. */
export async function untilAllFinished(watchers: readonly Watcher[], stillSecondsMax = 30): Promise<void> {
  for (const watcher of watchers) {
    let had = -1;
    let sinceMs = performance.now();
    const isFinishedOrStuck = ({ finished, seen }: Watcher): boolean => {
      if (seen.length > had) sinceMs = performance.now();
      had = seen.length;
      return finished || performance.now() - sinceMs > stillSecondsMax * 1000;
    };
    await watcher.until(isFinishedOrStuck, 'done or 204', Number.POSITIVE_INFINITY);
    hold(
      watcher.finished,
      () => `${watcher.plan.name} got nothing for ${stillSecondsMax} s, neither done nor 204; ${watcher.summary}`,
    );
  }
}

/** Each was told `done` once, at a position of this journal at which everything that it watched was over. */
export function expectEnds(context: StressContext, watchers: readonly Watcher[], journal: Journal): void {
  const lives = new Lives(journal);
  const positions = new Set(journal.records.map(({ id }) => id));
  for (const { plan, seen, summary } of watchers) {
    const ends = seen.filter((one) => one.kind === 'done' && one.reason === 'executions_terminal');
    hold(ends.length === 1, () => `${plan.name} was told ${ends.length} times that all is over; ${summary}`);
    const position = ends[0]?.kind === 'done' ? (ends[0].id ?? '') : '';
    hold(positions.has(position), () => `${plan.name}: the end is at ${position}, which is no record; ${summary}`);
    const open = lives.openAt(plan.watch, position);
    hold(
      open.length === 0,
      () =>
        `${plan.name} was told done at ${position}, where ${open.length} were not over: ${open[0] ?? ''}, over at ${lives.terminalOf(open[0] ?? '') ?? 'no time'}; ${summary}`,
    );
    context.checked('ends', 1);
  }
}
