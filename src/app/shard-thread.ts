import { randomBytes } from 'node:crypto';
import type { EdgeSettings } from '../contract/edge-settings.ts';
import type { ShardErrand, ShardReply, ShardTask } from '../contract/shard-messages.ts';
import type { FaultPlace } from '../contract/shard-observer.ts';
import { assert } from '../core/assert.ts';
import { systemClock } from '../core/clock.ts';
import { createEdge, type Edge } from '../edge/edge.ts';
import { createLog, type LogSettings } from '../observe/log.ts';
import { type ShardMetrics, shardMetrics } from '../observe/shard-metrics.ts';
import { Shard } from '../shard/shard.ts';
import { RingReader } from '../window/ring-reader.ts';
import type { WindowMemory } from '../window/window-memory.ts';

/** What the thread of a shard is given. Plain data and shared memory. */
export interface ShardSetup {
  readonly shard: number;
  readonly window: WindowMemory;
  /** One Int32 that rises while the shard is at work: how the main thread tells a long task from an endless one. */
  readonly pulse: SharedArrayBuffer;
  readonly edge: EdgeSettings;
  readonly log: LogSettings;
}

interface Running {
  readonly shard: Shard;
  readonly edge: Edge;
  readonly metrics: ShardMetrics;
}

/** 0 ≤ n < 1. */
export function randomFraction(): number {
  return randomBytes(4).readUInt32LE() / 2 ** 32;
}

/**
 * Everything on one shard's thread: the shard, the edge in front of it, its metrics. A thread holds one for its whole life.
 *
 * A fault in one message or callback is contained to it: logged, counted, and the thread with its other streams goes on
 * (a worker that ends with an open uWebSockets.js handle would abort the process).
 */
export class ShardThread {
  #running: Running | null = null;

  async handle(task: ShardTask | ShardErrand<ShardSetup>): Promise<ShardReply> {
    if (!('errand' in task)) return this.#the().shard.handle(task);
    switch (task.errand) {
      case 'open':
        return { kind: 'opened', descriptor: await this.#open(task.setup) };
      case 'metrics':
        return { kind: 'metrics', metrics: await this.#the().metrics.collect() };
      case 'close':
        this.#the().edge.close();
        return { kind: 'done' };
    }
  }

  #the(): Running {
    assert(this.#running !== null, 'the first task of a shard thread is to open');
    return this.#running;
  }

  async #open(setup: ShardSetup): Promise<number> {
    const log = createLog(setup.log).child({ shard: setup.shard });
    const metrics = shardMetrics(setup.shard, () => {
      const gauges = shard.gauges();
      const connections = Object.values(gauges.sessions).reduce((sum, count) => sum + count, 0);
      return { connections, sessions: gauges.sessions, groups: gauges.groups, executions: gauges.executions };
    });
    const onFault = (what: FaultPlace, error: unknown): void => {
      metrics.faulted(what);
      log.error({ error, what }, 'a fault was contained');
    };
    process.on('uncaughtException', (error) => {
      onFault('callback', error);
    });
    const pulse = new Int32Array(setup.pulse);
    const shard = new Shard({
      window: new RingReader(setup.window),
      clock: systemClock,
      observer: metrics,
      random: randomFraction,
      beat: () => {
        Atomics.add(pulse, 0, 1);
      },
      onFault,
    });
    const edge = await createEdge({
      door: shard,
      control: shard.control,
      settings: setup.edge,
      clock: systemClock,
      metrics: {
        answered: (route, status) => {
          metrics.answered(route, status);
        },
        failed: (error, correlationId) => {
          metrics.failed(error, correlationId);
          metrics.faulted('request');
          log.error({ error, correlationId }, 'a request failed');
        },
      },
    });
    this.#running = { shard, edge, metrics };
    return edge.app.getDescriptor();
  }
}
