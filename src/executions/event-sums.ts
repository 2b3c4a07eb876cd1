import type { RecordReader } from '../wire/record/record-reader.ts';
import { eventField } from '../wire/record/record-spans.ts';
import { uuidBytes } from '../wire/record/uuid-bytes.ts';
import type { ExecutionRegistry } from './registry.ts';

/** The events of one execution in one batch. Places are those of the batch's bytes: texts are made once, at the end. */
interface Sum {
  executionId: string;
  /** Events up to it are in the registry already. */
  seen: number;
  events: number;
  bytes: number;
  readonly first: { sequence: number; timeMs: number; timeStart: number; timeEnd: number };
  readonly last: { sequence: number; timeMs: number; timeStart: number; timeEnd: number; idStart: number };
}

/**
 * Adds up the events of a batch per execution, and tells the registry of each execution once: the texts of id and time, which the registry keeps of the last event
 * only, are not made for every event.
 *
 * Invariant E1: after `settle` the registry is what it would be had each event been applied alone, in order; a change of an execution is applied after `settle`.
 *               Oracle: test/executions/event-sums.test.ts.
 * Holds at most one sum per record of a batch; they are used again.
 */
export class EventSums {
  readonly #registry: ExecutionRegistry;
  readonly #byExecution = new Map<string, Sum>();
  readonly #spare: Sum[] = [];
  /** Records of one execution often come in a row. */
  #latest: Sum | null = null;

  constructor(registry: ExecutionRegistry) {
    this.#registry = registry;
  }

  /** The reader's current record, an event. */
  add(executionId: string, reader: RecordReader): void {
    const sum = this.#latest?.executionId === executionId ? this.#latest : this.#sumOf(executionId);
    const { sequence, timeMs, spans } = reader;
    if (sequence <= sum.seen) return;
    const { last } = sum;
    last.sequence = sequence;
    last.timeMs = timeMs;
    last.idStart = spans.idStart;
    last.timeStart = spans.start[eventField.time] as number; // the arrays have 16 places
    last.timeEnd = spans.end[eventField.time] as number;
    if (sum.events === 0) {
      const { first } = sum;
      first.sequence = sequence;
      first.timeMs = timeMs;
      first.timeStart = last.timeStart;
      first.timeEnd = last.timeEnd;
    }
    sum.events += 1;
    sum.bytes += spans.size ?? 0;
  }

  /** Tells the registry, and forgets. `batch`: the bytes that the records were read from; before the reader is reset. */
  settle(batch: Buffer): void {
    for (const sum of this.#byExecution.values()) {
      this.#spare.push(sum);
      if (sum.events > 0) this.#tell(sum, batch);
    }
    this.#byExecution.clear();
    this.#latest = null;
  }

  #tell({ executionId, events, bytes, first, last }: Sum, batch: Buffer): void {
    const lastTime = batch.toString('utf8', last.timeStart, last.timeEnd);
    this.#registry.applyEvents(executionId, {
      first,
      last: {
        sequence: last.sequence,
        timeMs: last.timeMs,
        id: batch.toString('latin1', last.idStart, last.idStart + uuidBytes),
      },
      events,
      bytes,
      firstTime: events === 1 ? lastTime : batch.toString('utf8', first.timeStart, first.timeEnd),
      lastTime,
    });
  }

  #sumOf(executionId: string): Sum {
    const known = this.#byExecution.get(executionId);
    const sum = known ?? this.#begin(executionId);
    this.#latest = sum;
    return sum;
  }

  #begin(executionId: string): Sum {
    const sum = this.#spare.pop() ?? newSum();
    sum.executionId = executionId;
    sum.seen = this.#registry.lastSequenceOf(executionId);
    sum.events = 0;
    sum.bytes = 0;
    this.#byExecution.set(executionId, sum);
    return sum;
  }
}

function newSum(): Sum {
  const place = { sequence: 0, timeMs: 0, timeStart: 0, timeEnd: 0 };
  return { executionId: '', seen: 0, events: 0, bytes: 0, first: { ...place }, last: { ...place, idStart: 0 } };
}
