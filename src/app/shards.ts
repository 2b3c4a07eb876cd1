import { MessageChannel, type Transferable } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { ShardErrand, ShardReply, ShardTask } from '../contract/shard-messages.ts';
import { assert } from '../core/assert.ts';
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

  constructor() {
    this.#pool = new Piscina({
      filename: workerEntries.shard.href,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
    });
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

  /** Answers the descriptor of the thread's app, for the acceptor. */
  async open(setup: ShardSetup): Promise<number> {
    const reply = await this.run({ errand: 'open', setup });
    assert(reply.kind === 'opened', 'a thread answers open with its descriptor');
    return reply.descriptor;
  }

  async metrics(): Promise<MetricValues> {
    const reply = await this.run({ errand: 'metrics' });
    assert(reply.kind === 'metrics', 'a thread answers metrics with its metrics');
    return reply.metrics as MetricValues;
  }

  /** The thread's app first, then the thread: the other order aborts the process. */
  async close(): Promise<void> {
    await this.run({ errand: 'close' });
    await this.#pool.destroy();
  }
}
