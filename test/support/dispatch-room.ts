import { MessageChannel } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import type { ShardMessage, ShardReply, ShardReport, ShardTask } from '../../src/contract/shard-messages.ts';
import type { ViewChange } from '../../src/contract/upstream.ts';
import { historyRetryMs } from '../../src/core/limits.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import type { ShardLink } from '../../src/dispatch/dispatcher-dependencies.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import { describedJournal, FakeBus } from './fake-bus.ts';
import { FakeClock } from './fake-clock.ts';
import { encodeBatch, eventRecord, type RecordBody, testId } from './record-batch.ts';

/** A shard's thread that finishes its tasks at once, or when the test lets it. */
class FakeThread implements ShardLink {
  readonly tasks: ShardTask[] = [];
  stuck = false;
  gone = false;
  #beats = 0;
  readonly #channel = new MessageChannel();
  #finish: (() => void)[] = [];

  get reports(): ShardLink['reports'] {
    return this.#channel.port1;
  }

  /** The test's clock runs on without a turn of the loop for answers: only a stuck shard is silent. */
  beats = (): number => (this.stuck ? this.#beats : (this.#beats += 1));

  get up(): ShardLink['up'] {
    return this.#channel.port2;
  }

  get messages(): ShardMessage[] {
    return this.tasks.flatMap(({ messages }) => messages);
  }

  of<Kind extends ShardMessage['kind']>(kind: Kind): Extract<ShardMessage, { kind: Kind }>[] {
    return this.messages.filter((message): message is Extract<ShardMessage, { kind: Kind }> => message.kind === kind);
  }

  run(task: ShardTask): Promise<ShardReply> {
    if (this.gone) return Promise.reject(new RangeError('no such thread'));
    this.tasks.push(task);
    return new Promise((resolve) => {
      const finish = (): void => {
        resolve({ kind: 'done' });
      };
      if (this.stuck) this.#finish.push(finish);
      else finish();
    });
  }

  release(): void {
    this.stuck = false;
    for (const finish of this.#finish) finish();
    this.#finish = [];
  }

  report(report: ShardReport): void {
    this.#channel.port2.postMessage(report);
  }

  join(session: number, ...values: readonly string[]): void {
    this.report({ kind: 'join', session, values, cursor: { kind: 'live' }, address: '::1' });
  }
}

/** A dispatcher between two threads and a bus that are in the test's hand; the window is real. */
export interface Room {
  readonly clock: FakeClock;
  readonly bus: FakeBus;
  readonly threads: readonly [FakeThread, FakeThread];
  readonly window: WindowWriter;
  readonly registry: ExecutionRegistry;
  readonly dispatcher: Dispatcher;
  readonly flow: string[];
  readonly heldBackMs: number[];
  readonly faults: string[];
  readonly batch: (...records: readonly RecordBody[]) => void;
}

export function openRoom(t: ExecutionContext, connectionsMax = 100): Room {
  const clock = new FakeClock();
  const bus = new FakeBus();
  const threads = [new FakeThread(), new FakeThread()] as const;
  const window = new WindowWriter(createWindow(100_000));
  const registry = new ExecutionRegistry();
  const flow: string[] = [];
  const heldBackMs: number[] = [];
  const faults: string[] = [];
  const dispatcher = new Dispatcher({
    shards: threads,
    window,
    registry,
    bus,
    flow: {
      hold: () => flow.push('hold'),
      release: () => flow.push('release'),
    },
    clock,
    backoff: () => ({ next: () => historyRetryMs }),
    connectionsMax,
    connectionsPerAddressMax: 0,
    publishRate: 0,
    onFault: (what) => faults.push(what),
    onShardResponsive: (shard, responsive) => faults.push(`shard ${shard} ${responsive ? 'answers' : 'is silent'}`),
    onShardGivenUp: (shard) => faults.push(`shard ${shard} was given up`),
    onShardLost: (lost) => faults.push(`shard ${lost} was lost`),
    busResponsive: () => null,
    onPublished: () => undefined,
    onHeldBack: (milliseconds) => heldBackMs.push(milliseconds),
  });
  dispatcher.start();
  dispatcher.view(viewAt(0));
  dispatcher.connected(true);
  dispatcher.described(describedJournal(0));
  dispatcher.filled();
  t.teardown(() => {
    dispatcher.close();
  });
  const batch = (...records: readonly RecordBody[]): void => {
    dispatcher.batch(encodeBatch({ records }));
  };
  return { clock, bus, threads, window, registry, dispatcher, flow, heldBackMs, faults, batch };
}

export function viewAt(sequence: number, gap: ViewChange['gap'] = null): ViewChange {
  return { start: { sequence: sequence as Sequence, id: testId(sequence) }, executions: [], gap };
}

export function large(sequence: number, executionId: string): RecordBody {
  return eventRecord(sequence, { executionId, uri: 'u'.repeat(4_000) });
}
