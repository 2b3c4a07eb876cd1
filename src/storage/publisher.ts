import type { StorageEventInput } from '../core/event.ts';
import type { ExecutionStatus } from '../core/execution.ts';

/** A change of an execution's status, of its tags, or both. */
export interface ExecutionChangeInput {
  readonly execution_id: string;
  readonly status?: ExecutionStatus;
  /** Added to those it has. */
  readonly tags?: readonly string[];
  readonly reason?: string;
}

export type PublishEntry =
  | { readonly kind: 'event'; readonly event: StorageEventInput }
  | { readonly kind: 'change'; readonly change: ExecutionChangeInput };

/**
 * What a pipeline needs of the bus. Trusts nothing; promises that what it answered is durable.
 *
 * Fails with a BusError; its faults begin with `entries`, the entry's index. Over gRPC a failed batch has appended nothing.
 */
export interface EventPublisher {
  /**
   * Publishes in order and answers the ids in that order. What goes in several parts becomes durable part by part: `onDurable` is told the ids of each
   * as soon as it is, also when a later one fails.
   */
  publish(entries: readonly PublishEntry[], onDurable?: (ids: readonly string[]) => void): Promise<readonly string[]>;
  close(): Promise<void>;
}
