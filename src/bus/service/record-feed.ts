import type { EventJournal, ReadRange } from '../../contract/journal.ts';
import { parseUuid } from '../../core/event-id.ts';
import { InvalidInputError } from '../../core/failure.ts';
import { batchBytesMax, batchEventsMax, busExecutionIdsMax, readStepBytesMax } from '../../core/limits.ts';
import { isSequence, type Sequence, sequenceMax, toSequence } from '../../core/sequence.ts';
import type { ReadRequestMessage } from '../../wire/bus/bus-messages.ts';
import type { MessageSink } from '../../wire/bus/bus-service.ts';
import { BatchAssembly } from '../../wire/record/message-assembly.ts';
import type { ReadTurns } from './read-turns.ts';
import { positionError, type StartPosition } from './start-position.ts';

/** Left free in a batch for the framing of its records and the position behind them: 1,000 x 4 bytes and an id. */
const framingBytes = 8_192;
const recordBytesMax = batchBytesMax - framingBytes;

/** Everything after a position, then live, until the sink's signal aborts. One batch is on its way at a time: the reader sets the pace. */
export async function feedSubscriber(
  journal: EventJournal,
  start: StartPosition,
  sink: MessageSink<Buffer>,
): Promise<void> {
  const assembly = new BatchAssembly();
  const tail = new TailWait(journal, sink.signal);
  try {
    let after = start.sequence;
    // A reader that cannot go on from here is told so before it is told that it may begin.
    await readBatch(journal, { ...everything, after, until: toSequence(sequenceMax), limitRecords: 1 }, assembly);
    assembly.clear();
    await sink.send(assembly.finish(start.sequence, start.id));
    while (!sink.signal.aborted) {
      const range = { ...everything, after, until: toSequence(sequenceMax) };
      const { records, through, id } = await readBatch(journal, range, assembly);
      after = through;
      if (records > 0) await sink.send(assembly.finish(through, id));
      else await tail.beyond(through);
    }
  } finally {
    tail.close();
  }
}

const everything: Omit<ReadRange, 'after' | 'until'> = {
  executionIds: null,
  eventsOnly: false,
  limitBytes: recordBytesMax,
  limitRecords: batchEventsMax,
};

async function readBatch(
  journal: EventJournal,
  range: ReadRange,
  assembly: BatchAssembly,
): Promise<{ records: number; through: Sequence; id: string }> {
  const result = await journal.read(range, (record) => {
    assembly.add(record);
  });
  if (result.kind === 'trimmed') throw positionError(journal, 'too-old', 'retention has overtaken this reader');
  return { records: result.records, through: result.through, id: result.throughId };
}

/** Waits for the journal to grow. One listener for the life of a subscription. */
class TailWait {
  readonly #journal: EventJournal;
  readonly #signal: AbortSignal;
  readonly #stopListening: () => void;
  #wake: (() => void) | null = null;

  constructor(journal: EventJournal, signal: AbortSignal) {
    this.#journal = journal;
    this.#signal = signal;
    this.#stopListening = journal.onAdvance(this.#ring);
    signal.addEventListener('abort', this.#ring);
  }

  /** Resolves once the newest sequence is above `sequence`, or on abort. */
  async beyond(sequence: Sequence): Promise<void> {
    while (!this.#signal.aborted && this.#journal.describe().newestSequence <= sequence) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#stopListening();
    this.#signal.removeEventListener('abort', this.#ring);
  }

  readonly #ring = (): void => {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };
}

/** A bounded piece of history, a step in each of its turns. Throws InvalidInputError or PositionError. */
export async function feedReader(
  journal: EventJournal,
  request: ReadRequestMessage,
  sink: MessageSink<Buffer>,
  turns: ReadTurns,
): Promise<void> {
  const { newestSequence } = journal.describe();
  const range = rangeOf(request, newestSequence);
  const assembly = new BatchAssembly();
  let { after } = range;
  let bytesLeft = range.limitBytes;
  let recordsLeft = range.limitRecords;
  for (let first = true; first || after < range.until; first = false) {
    await turns.next();
    const limitBytes = Math.min(bytesLeft, readStepBytesMax);
    const limitRecords = Math.min(recordsLeft, batchEventsMax);
    const { records, through, id } = await readBatch(journal, { ...range, after, limitBytes, limitRecords }, assembly);
    bytesLeft -= assembly.byteLength;
    recordsLeft -= records;
    after = through;
    await sink.send(assembly.finish(through, id));
    if (sink.signal.aborted || bytesLeft <= 0 || recordsLeft <= 0 || (records === 0 && through >= range.until)) return;
  }
}

function rangeOf(request: ReadRequestMessage, newest: Sequence): ReadRange {
  const { after_sequence = 0, until_sequence = 0, execution_ids = [], events_only = false } = request;
  const faults = executionIdFaults(execution_ids);
  if (!isSequence(after_sequence)) faults.push({ field: ['after_sequence'], reason: 'must be at most 2^52-1' });
  if (!isSequence(until_sequence)) faults.push({ field: ['until_sequence'], reason: 'must be at most 2^52-1' });
  if (faults.length > 0) throw new InvalidInputError(faults);
  return {
    after: toSequence(after_sequence),
    until: toSequence(Math.min(orWhenZero(until_sequence, newest), newest)),
    executionIds: execution_ids.length === 0 ? null : execution_ids.map((id) => id.toLowerCase()),
    eventsOnly: events_only,
    limitBytes: orWhenZero(request.limit_bytes, batchBytesMax),
    limitRecords: orWhenZero(request.limit_records, Number.MAX_SAFE_INTEGER),
  };
}

/** Proto3 cannot tell 0 from absent. */
function orWhenZero(value: number | undefined, absent: number): number {
  return value === undefined || value === 0 ? absent : value;
}

/** For every call that names executions. */
export function executionIdFaults(executionIds: readonly string[]): { field: (string | number)[]; reason: string }[] {
  if (executionIds.length > busExecutionIdsMax) {
    return [{ field: ['execution_ids'], reason: `must be at most ${busExecutionIdsMax}, are ${executionIds.length}` }];
  }
  const bad = executionIds.findIndex((id) => parseUuid(id) === null);
  return bad === -1 ? [] : [{ field: ['execution_ids', bad], reason: 'must be a UUID' }];
}
