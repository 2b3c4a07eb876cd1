import type { ExecutionFacts } from '../contract/journal.ts';
import type { UpstreamSink } from '../contract/upstream.ts';
import { BusError } from '../core/failure.ts';
import { type Sequence, toSequence } from '../core/sequence.ts';
import type { BusClient } from '../wire/bus/bus-client.ts';
import type { ExecutionsResponseMessage } from '../wire/bus/bus-messages.ts';
import { executionFacts } from '../wire/bus/execution-message.ts';

export interface RegistrySnapshot {
  readonly executions: readonly ExecutionFacts[];
  readonly asOf: Sequence;
}

/**
 * The registry of the bus, as the router needs it: a snapshot to begin with, then only what was forgotten.
 *
 * Changes are not taken from here but folded from the records of the window, in order: so members and status are exact as of the router's
 * position, never ahead of it.
 */
export class RegistryFeed {
  readonly #client: BusClient;
  readonly #sink: UpstreamSink;
  readonly #onTrouble: (what: string, failure: unknown) => void;
  #following: AsyncIterator<ExecutionsResponseMessage> | null = null;

  constructor(client: BusClient, sink: UpstreamSink, onTrouble: (what: string, failure: unknown) => void) {
    this.#client = client;
    this.#sink = sink;
    this.#onTrouble = onTrouble;
  }

  /** A snapshot, for a new view. */
  async load(): Promise<RegistrySnapshot> {
    const executions: ExecutionFacts[] = [];
    const asOf = await this.#snapshot((message) => {
      for (const execution of message.executions) executions.push(executionFacts(execution));
    });
    return { executions, asOf };
  }

  /** After a reconnection: tells the sink what is still there, so that it learns what was forgotten meanwhile. */
  async refresh(): Promise<void> {
    const present = new Set<string>();
    const asOf = await this.#snapshot((message) => {
      for (const execution of message.executions) present.add(execution.execution_id);
    });
    this.#sink.present(present, asOf);
  }

  stop(): void {
    const following = this.#following;
    this.#following = null;
    void following?.return?.();
  }

  async #snapshot(take: (message: ExecutionsResponseMessage) => void): Promise<Sequence> {
    this.stop();
    const messages = this.#client.executions({ follow: true })[Symbol.asyncIterator]();
    for (;;) {
      const next = await messages.next();
      if (next.done === true)
        throw new BusError('unavailable', 'the bus ended the registry before its snapshot was complete');
      take(next.value);
      if (!next.value.snapshot_complete) continue;
      this.#following = messages;
      void this.#follow(messages);
      return toSequence(next.value.as_of_sequence);
    }
  }

  async #follow(messages: AsyncIterator<ExecutionsResponseMessage>): Promise<void> {
    try {
      for (;;) {
        const next = await messages.next();
        if (next.done === true || this.#following !== messages) return;
        if (next.value.forgotten.length > 0) this.#sink.forgotten(next.value.forgotten);
      }
    } catch (failure) {
      // The subscription over the same connection breaks as well, and begins again with a refresh.
      if (this.#following === messages) this.#onTrouble('executions', failure);
    }
  }
}
