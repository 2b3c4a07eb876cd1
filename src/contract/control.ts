import type { StorageEventInput } from '../core/event.ts';
import type { ExecutionStatus } from '../core/execution.ts';
import type { BusFailure, Fault } from '../core/failure.ts';

/**
 * Calls from a shard's edge to the main thread, everything of the HTTP API but the stream. Plain data: it crosses threads.
 * Answers are values; a failed call is an answer of kind `failed`, never a rejected promise.
 */
export type ControlCall =
  | { readonly kind: 'publish'; readonly events: readonly StorageEventInput[]; readonly bytes: number }
  | {
      readonly kind: 'change-execution';
      readonly executionId: string;
      readonly status: ExecutionStatus | null;
      readonly tags: readonly string[];
      readonly reason: string | null;
    }
  | { readonly kind: 'get-execution'; readonly executionId: string }
  | {
      readonly kind: 'list-executions';
      readonly tag: string | null;
      readonly status: ExecutionStatus | null;
      readonly limit: number;
      /** Opaque, from the page before. */
      readonly cursor: string | null;
    }
  | { readonly kind: 'health' }
  | { readonly kind: 'readiness' };

export type ControlAnswer =
  | { readonly kind: 'published'; readonly ids: readonly string[]; readonly visible: boolean }
  | { readonly kind: 'execution'; readonly execution: ExecutionView; readonly visible: boolean }
  | { readonly kind: 'executions'; readonly executions: readonly ExecutionView[]; readonly nextCursor: string | null }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'bad-cursor' }
  | { readonly kind: 'health'; readonly healthy: boolean; readonly report: HealthReport }
  | { readonly kind: 'readiness'; readonly ready: boolean; readonly report: ReadinessReport }
  | {
      readonly kind: 'failed';
      readonly code: BusFailure;
      readonly detail: string;
      readonly faults: readonly Fault[];
      /** With `throttled`. */
      readonly retryAfterMs?: number | null;
    }
  | { readonly kind: 'overloaded'; readonly detail: string };

/** An execution as the HTTP API shows it. Key order is the order in the JSON. */
export interface ExecutionView {
  readonly execution_id: string;
  readonly status: ExecutionStatus;
  readonly tags: readonly string[];
  readonly reason?: string;
  readonly created_at: string;
  readonly changed_at: string;
  readonly events: number;
  readonly bytes: number;
  readonly late_events: number;
  readonly first_event_time?: string;
  readonly last_event_time?: string;
  /** Subscribe after it and miss nothing: the router's position when it answered, or of a change that it has not passed yet, the change's. */
  readonly last_event_id: string;
}

export interface HealthReport {
  readonly status: 'ok' | 'failing';
  readonly shards: readonly { readonly shard: number; readonly responsive: boolean }[];
  /** Where the bus is a thread of the same process (`up`). */
  readonly bus?: { readonly responsive: boolean };
}

export interface ReadinessReport {
  /** `journal-damaged`: the bus answers, and cannot read on from where this router is. */
  readonly status: 'ready' | 'filling' | 'bus-away' | 'journal-damaged' | 'draining';
  readonly upstream: 'connected' | 'connecting';
  readonly last_event_id: string | null;
  /** Records that the bus has and this router has not, as far as it knows. */
  readonly lag: number;
  /** The first record that the bus found missing or unreadable, as long as it knows of one: somebody must repair the journal. */
  readonly damaged_sequence?: number;
}

/** The door from the edge to the main thread. Resolves always, within its own time limits. */
export interface ControlDoor {
  call(call: ControlCall): Promise<ControlAnswer>;
}
