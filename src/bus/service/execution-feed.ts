import type { EventJournal, ExecutionFacts, ExecutionsChange } from '../../contract/journal.ts';
import { InvalidInputError } from '../../core/failure.ts';
import { executionsPerMessageMax } from '../../core/limits.ts';
import type { ExecutionsRequestMessage, ExecutionsResponseMessage } from '../../wire/bus/bus-messages.ts';
import type { MessageSink } from '../../wire/bus/bus-service.ts';
import { executionMessage } from '../../wire/bus/execution-message.ts';
import { executionIdFaults } from './record-feed.ts';

/**
 * What changed since the last message: the newest facts of each execution, once, and those forgotten. Bounded by the registry, whatever
 * happens while the reader is behind.
 */
class Changes {
  readonly #wanted: ReadonlySet<string> | null;
  readonly #changed = new Map<string, ExecutionFacts>();
  readonly #forgotten = new Set<string>();
  asOf = 0;
  #wake: (() => void) | null = null;

  constructor(wanted: ReadonlySet<string> | null) {
    this.#wanted = wanted;
  }

  readonly add = (change: ExecutionsChange): void => {
    for (const facts of change.changed) {
      if (this.#wanted !== null && !this.#wanted.has(facts.executionId)) continue;
      this.#changed.set(facts.executionId, facts);
      this.#forgotten.delete(facts.executionId);
    }
    for (const executionId of change.forgotten) {
      if (this.#wanted !== null && !this.#wanted.has(executionId)) continue;
      this.#changed.delete(executionId);
      this.#forgotten.add(executionId);
    }
    this.asOf = change.asOf;
    if (this.#changed.size + this.#forgotten.size > 0) this.ring();
  };

  readonly ring = (): void => {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };

  /** Waits for something to tell; false on abort. */
  async some(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.#changed.size + this.#forgotten.size === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !signal.aborted;
  }

  /** One message's worth. `asOf` holds for the last message of a take only, so earlier ones repeat the one before. */
  take(asOfBefore: number): ExecutionsResponseMessage {
    const executions = takeSome(this.#changed.entries()).map(([executionId, facts]) => {
      this.#changed.delete(executionId);
      return executionMessage(facts);
    });
    const forgotten = takeSome(this.#forgotten.values());
    for (const executionId of forgotten) this.#forgotten.delete(executionId);
    const whole = this.#changed.size + this.#forgotten.size === 0;
    const as_of_sequence = whole ? this.asOf : asOfBefore;
    return { executions, forgotten, snapshot_complete: false, as_of_sequence };
  }
}

function takeSome<Item>(items: Iterable<Item>): Item[] {
  const taken: Item[] = [];
  for (const item of items) {
    if (taken.length === executionsPerMessageMax) break;
    taken.push(item);
  }
  return taken;
}

/** The registry as of one sequence, then with `follow` what changes, until the sink's signal aborts. Throws InvalidInputError. */
export async function feedExecutions(
  journal: EventJournal,
  request: ExecutionsRequestMessage,
  sink: MessageSink<ExecutionsResponseMessage>,
): Promise<void> {
  const faults = executionIdFaults(request.execution_ids ?? []);
  if (faults.length > 0) throw new InvalidInputError(faults);
  const ids = (request.execution_ids ?? []).map((id) => id.toLowerCase());
  const changes = new Changes(ids.length === 0 ? null : new Set(ids));
  const snapshot = ids.length === 0 ? journal.executions() : someExecutions(journal, ids);
  // From the same turn of the loop as the snapshot: nothing falls between the two.
  const stopListening = request.follow === true ? journal.onExecutions(changes.add) : () => undefined;
  sink.signal.addEventListener('abort', changes.ring);
  try {
    await sendSnapshot(snapshot, sink);
    if (request.follow !== true) return;
    let asOf: number = snapshot.asOf;
    while (await changes.some(sink.signal)) {
      const message = changes.take(asOf);
      asOf = message.as_of_sequence;
      await sink.send(message);
    }
  } finally {
    stopListening();
    sink.signal.removeEventListener('abort', changes.ring);
  }
}

function someExecutions(journal: EventJournal, ids: readonly string[]): ReturnType<EventJournal['executions']> {
  const facts = [...new Set(ids)].map((id) => journal.execution(id)).filter((one) => one !== undefined);
  return { asOf: journal.describe().newestSequence, facts };
}

async function sendSnapshot(
  snapshot: ReturnType<EventJournal['executions']>,
  sink: MessageSink<ExecutionsResponseMessage>,
): Promise<void> {
  const { asOf, facts } = snapshot;
  for (let from = 0; from === 0 || from < facts.length; from += executionsPerMessageMax) {
    if (sink.signal.aborted) return;
    const executions = facts.slice(from, from + executionsPerMessageMax).map(executionMessage);
    const snapshot_complete = from + executionsPerMessageMax >= facts.length;
    await sink.send({ executions, forgotten: [], snapshot_complete, as_of_sequence: asOf });
  }
}
