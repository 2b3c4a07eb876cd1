import type { GapReason, ShardMessage } from './shard-messages.ts';

export type EndReason = 'executions_terminal' | 'timeout' | 'shutdown' | 'no_content' | 'unknown_execution' | 'refused';
export type DisconnectReason = 'client' | 'stalled' | 'failure';

/** What a shard was doing when something threw: the message it had, or the callback. A closed set, so that it can be a label. */
export type FaultPlace =
  | ShardMessage['kind']
  | 'open'
  | 'drain'
  | 'end'
  | 'catch-up'
  | 'writable'
  | 'closed'
  | 'sweep'
  | 'request'
  | 'callback';

/** What a shard tells the metrics. Every method is a few additions; none throws. */
export interface ShardObserver {
  /** One write to one socket. */
  delivered(frames: number, bytes: number): void;
  /** From the append of an event to its hand-over to the sockets of one group; sampled once a group and batch. */
  latency(milliseconds: number): void;
  mailboxWait(milliseconds: number): void;
  ended(reason: EndReason): void;
  disconnected(reason: DisconnectReason): void;
  gap(reason: GapReason): void;
  parked(): void;
}

/** Gauges of a shard, read when metrics are collected. */
export interface ShardGauges {
  readonly sessions: Readonly<Record<'joining' | 'waiting' | 'deciding' | 'catching-up' | 'parked' | 'live', number>>;
  readonly groups: number;
  readonly values: number;
  readonly executions: number;
}
