import { MessageChannel, type Transferable } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { ShardErrand, ShardReply, ShardTask } from '../contract/shard-messages.ts';
import { assert } from '../core/assert.ts';
import { StuckThreadError } from '../core/failure.ts';
import { shardYoungMiB } from '../core/limits.ts';
import type { ShardLink } from '../dispatch/dispatcher-dependencies.ts';
import type { MetricValues } from '../observe/tally.ts';
import type { ShardSetup } from './shard-thread.ts';
import { workerEntries } from './worker-entries.ts';

/**
 * The thread of one shard: a Piscina pool of exactly one thread, whose queue is the shard's mailbox.
 *
 * `atomics: 'disabled'`: the other modes park the thread between tasks, and with it the sockets. One pool a shard, because Piscina has no task affinity.
 */
export class ShardHost implements ShardLink {
  readonly #pool: Piscina<ShardTask | ShardErrand<ShardSetup>, ShardReply>;
  readonly #channel = new MessageChannel();
  readonly #memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  readonly #pulse = new Int32Array(this.#memory);
  #descriptor = 0;
  #state: 'running' | 'stuck' | 'lost' = 'running';

  constructor() {
    this.#pool = new Piscina({
      filename: workerEntries.shard.href,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      resourceLimits: { maxYoungGenerationSizeMb: shardYoungMiB },
    });
    // A thread that ends with nothing to do: the next task says so, to whoever handed it over.
    this.#pool.on('error', () => undefined);
  }

  get reports(): ShardLink['reports'] {
    return this.#channel.port1;
  }

  get up(): ShardLink['up'] {
    return this.#channel.port2;
  }

  run(task: ShardTask | ShardErrand<ShardSetup>, transfer: Transferable[] = []): Promise<ShardReply> {
    return this.#pool.run(task, { transferList: transfer as never });
  }

  readonly beats = (): number => Atomics.load(this.#pulse, 0);

  /** It answers, as far as anybody knows. */
  get reachable(): boolean {
    return this.#state === 'running';
  }

  /** The thread turns in a circle: nothing that is asked of it will be answered, and it cannot be ended. */
  markStuck(): void {
    this.#state = 'stuck';
  }

  /** A task failed, which a shard never lets happen: the thread has ended, and its app with it. */
  markLost(): void {
    this.#state = 'lost';
  }

  get stuck(): boolean {
    return this.#state === 'stuck';
  }

  /** Of the thread's app, for the acceptor. */
  get descriptor(): number {
    return this.#descriptor;
  }

  async open(setup: Omit<ShardSetup, 'pulse'>): Promise<void> {
    const reply = await this.run({ errand: 'open', setup: { ...setup, pulse: this.#memory } });
    assert(reply.kind === 'opened', 'a thread answers open with its descriptor');
    this.#descriptor = reply.descriptor;
  }

  async metrics(): Promise<MetricValues> {
    const reply = await this.run({ errand: 'metrics' });
    assert(reply.kind === 'metrics', 'a thread answers metrics with its metrics');
    return reply.metrics as MetricValues;
  }

  /** The thread's app first, then the thread: the other order aborts the process. A thread that is gone has no app to close. */
  async close(): Promise<void> {
    try {
      await this.run({ errand: 'close' });
    } catch (fault) {
      if (this.#state !== 'lost') throw fault;
    }
    await this.#pool.destroy();
  }
}

/** Closes every thread that can be closed; then throws a StuckThreadError if there are others. */
export async function closeHosts(hosts: readonly ShardHost[]): Promise<void> {
  await Promise.all(hosts.filter((host) => !host.stuck).map((host) => host.close()));
  const stuck = [...hosts.keys()].filter((shard) => hosts[shard]?.stuck === true);
  if (stuck.length > 0) throw new StuckThreadError(stuck.map((shard) => `shard ${shard}`));
}
