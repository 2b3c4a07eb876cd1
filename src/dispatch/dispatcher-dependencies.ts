import type { MessagePort, Transferable } from 'node:worker_threads';
import type { ShardReply, ShardTask } from '../contract/shard-messages.ts';
import type { BusCalls, UpstreamFlow } from '../contract/upstream.ts';
import type { Clock } from '../core/clock.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';
import type { WindowSink } from './intake.ts';

/** One shard's thread as the dispatcher reaches it. */
export interface ShardLink {
  run(task: ShardTask, transfer: Transferable[]): Promise<ShardReply>;
  /** The main thread's end of the port that the shard reports on. */
  readonly reports: MessagePort;
  /** The other end, handed over with `start`. */
  readonly up: MessagePort;
}

export interface DispatcherDependencies {
  readonly shards: readonly ShardLink[];
  readonly window: WindowSink;
  readonly registry: ExecutionRegistry;
  readonly bus: BusCalls;
  readonly flow: UpstreamFlow;
  readonly clock: Clock;
  readonly connectionsMax: number;
  /** 0: no limit. */
  readonly connectionsPerAddressMax: number;
  /** An exception was contained; `what` is the kind of the report, or `call`, `join`, `history`, `record`. */
  readonly onFault: (what: string, fault: unknown) => void;
  readonly onShardLost: (shard: number, fault: unknown) => void;
  readonly onPublished: (seconds: number, entries: number) => void;
  /** The stream from the bus was held back for so long. */
  readonly onHeldBack: (milliseconds: number) => void;
}
