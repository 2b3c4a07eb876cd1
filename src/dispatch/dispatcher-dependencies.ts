import type { MessagePort, Transferable } from 'node:worker_threads';
import type { ShardReply, ShardTask } from '../contract/shard-messages.ts';
import type { BusCalls, UpstreamFlow } from '../contract/upstream.ts';
import type { Clock } from '../core/clock.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';
import type { Waits } from '../registrar/history-desk.ts';
import type { WindowSink } from './intake.ts';

/** One shard's thread as the dispatcher reaches it. */
export interface ShardLink {
  run(task: ShardTask, transfer: Transferable[]): Promise<ShardReply>;
  /** The main thread's end of the port that the shard reports on. */
  readonly reports: MessagePort;
  /** Signs of life from the middle of a task: a number that only rises. */
  readonly beats: () => number;
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
  /** For one read of history that fails by a defect. */
  readonly backoff: () => Waits;
  readonly connectionsMax: number;
  /** 0: no limit. */
  readonly connectionsPerAddressMax: number;
  /** Events and changes a second over HTTP; 0: no limit. */
  readonly publishRate: number;
  /** An exception was contained; `what` is the kind of the report, or `call`, `join`, `history`, `record`. */
  readonly onFault: (what: string, fault: unknown) => void;
  /** The thread of a shard is gone. */
  readonly onShardLost: (shard: number, fault: unknown) => void;
  /** A shard has been silent for `shardUnresponsiveMs`, or has answered after that. */
  readonly onShardResponsive: (shard: number, responsive: boolean) => void;
  /** A shard has been silent for `shardGivenUpMs`: it is not waited for any more. */
  readonly onShardGivenUp: (shard: number) => void;
  /** Whether the bus's thread gives signs of life; null when it is another process. */
  readonly busResponsive: () => boolean | null;
  readonly onPublished: (seconds: number, entries: number) => void;
  /** The stream from the bus was held back for so long. */
  readonly onHeldBack: (milliseconds: number) => void;
}
