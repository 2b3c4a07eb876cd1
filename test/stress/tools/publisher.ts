import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../src/core/clock.ts';
import { BusError } from '../../../src/core/failure.ts';
import { createBusClient } from '../../../src/wire/bus/bus-client.ts';
import type { Random } from '../../support/seed.ts';
import { InvariantError, type StressContext } from '../scenario.ts';

/** One event as it is published. The `source_id` makes a repetition harmless. */
export interface Published {
  readonly executionId: string;
  readonly stage: string;
  readonly path: string;
  readonly sourceId: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Acknowledged extends Published {
  readonly id: string;
}

/** Sends a batch; answers the ids, or null when nobody can say whether it was appended. */
export type Send = (batch: readonly Published[]) => Promise<readonly string[] | null>;

/** A server that is stopped, not dead, answers nothing: then the batch is sent again. */
const sendSecondsMax = 5;

/** Whether a refusal is one that waiting helps, so that the batch is sent again. `status`: of HTTP, or the code of a BusError. */
export type Waits = (status: number | string, text: string) => boolean;

/** Over HTTP to whatever `base` names at that moment. */
export function overHttp(base: () => string, waits: Waits = () => false): Send {
  return async (batch) => {
    const events = batch.map(({ executionId, sourceId, ...rest }) => ({
      execution_id: executionId,
      source_id: sourceId,
      ...rest,
    }));
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL('/api/v1/storage/events', base()), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ events }),
        signal: AbortSignal.timeout(sendSecondsMax * 1000),
      });
      text = await response.text();
    } catch {
      return null;
    }
    if (response.status === 503 || response.status === 429 || waits(response.status, text)) return null;
    if (response.status !== 202) throw new InvariantError(`publish: ${response.status} ${text}`);
    return (JSON.parse(text) as { ids: string[] }).ids;
  };
}

/** Straight to the bus. */
export function overBus(context: StressContext, address: string, waits: Waits = () => false): Send {
  const client = createBusClient(address, { clock: systemClock });
  context.teardown(() => {
    client.close();
  });
  return async (batch) => {
    const entries = batch.map(({ executionId, sourceId, ...rest }) => ({
      event: { execution_id: executionId, source_id: sourceId, ...rest },
    }));
    try {
      return (await client.publish({ entries }, sendSecondsMax * 1000)).ids;
    } catch (error) {
      if (error instanceof BusError && ['unavailable', 'deadline'].includes(error.code)) return null;
      if (error instanceof BusError && waits(error.code, error.message)) return null;
      throw error;
    }
  };
}

export interface Load {
  readonly executions: readonly string[];
  /** Names the publisher in its `source_id`s and paths. */
  readonly name: string;
  readonly send: Send;
  readonly batchMax: number;
  /** Between two batches, at most; 0: as fast as it is answered. */
  readonly pauseMsMax: number;
  /** Bytes of metadata of an event, at most. */
  readonly fillBytesMax?: number;
}

const stages = ['boost', 'boost/routines', 'boost/summary', 'boosted', 'ingest', 'publish/final'];
const folders = ['reports', 'reports/deep', 'data', 'img'];
const endings = ['.md', '.MD', '.json', '.tar.gz', ''];

/**
 * A publisher that never gives a batch up: what was not acknowledged is sent again with the same `source_id`s until it is, whatever dies
 * meanwhile. One batch is under way at a time, so what it published first stands first.
 */
export class Publisher {
  readonly acknowledged: Acknowledged[] = [];
  /** Batches that had to be sent again. */
  retries = 0;
  readonly #load: Load;
  readonly #random: Random;
  #next = 0;
  #stopping = false;
  #running: Promise<void> | null = null;

  constructor(load: Load, random: Random) {
    this.#load = load;
    this.#random = random;
  }

  /** Publishes until `stop`. */
  start(context: StressContext): this {
    this.#running = this.#run();
    // Its failure is told by `stop`; a scenario that fails before must not be ended by it.
    this.#running.catch(() => undefined);
    context.teardown(() => {
      this.#stopping = true;
    });
    return this;
  }

  /** Settles when the batch under way is acknowledged. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  /** Settles when so many more events are acknowledged. */
  async more(count: number): Promise<void> {
    const target = this.acknowledged.length + count;
    while (this.acknowledged.length < target) {
      await Promise.race([sleep(5), this.#running]);
    }
  }

  /** One batch, until it is acknowledged. */
  async batch(count: number): Promise<void> {
    const batch = Array.from({ length: count }, () => this.#event());
    for (let attempt = 0; ; attempt += 1) {
      const ids = await this.#load.send(batch);
      if (ids !== null) {
        for (const [index, event] of batch.entries()) this.acknowledged.push({ ...event, id: ids[index] ?? '' });
        this.retries += attempt > 0 ? 1 : 0;
        return;
      }
      if (this.#stopping && attempt > retriesAfterStopMax) throw new InvariantError('a publish was never acknowledged');
      await sleep(20 + this.#random.below(130));
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await this.batch(1 + this.#random.below(this.#load.batchMax));
      if (this.#load.pauseMsMax > 0) await sleep(this.#random.below(this.#load.pauseMsMax));
    }
  }

  #event(): Published {
    const { name, executions, fillBytesMax = 0 } = this.#load;
    const number = this.#next;
    this.#next += 1;
    const random = this.#random;
    const fill = fillBytesMax === 0 ? {} : { fill: 'x'.repeat(random.below(Math.min(1_000, fillBytesMax))) };
    return {
      executionId: random.pick(executions),
      stage: random.pick(stages),
      path: `${random.pick(folders)}/${name}-${number}${random.pick(endings)}`,
      sourceId: `${name}-${number}`,
      metadata: fill,
    };
  }
}

/** About half a minute: what it was sent to is up again by then, or never. */
const retriesAfterStopMax = 300;
