import type { EventJournal, JournalEntry } from '../../src/contract/journal.ts';
import type { StorageEventInput } from '../../src/core/event.ts';
import type { ExecutionStatus } from '../../src/core/execution.ts';
import { sequenceMax, toSequence } from '../../src/core/sequence.ts';
import type { RecordMessage } from '../../src/wire/bus/bus-messages.ts';
import { decodeRecord } from '../../src/wire/grpc/grpc-proto.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
export const startMs = Date.UTC(2026, 10, 24, 12);

/** A UUID that a failure message can be read by. */
export function executionOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

export function eventEntry(execution: number, more: Partial<StorageEventInput> = {}): JournalEntry {
  return {
    kind: 'event',
    event: { execution_id: executionOf(execution), stage: 'boost/routines', path: 'reports/summary.MD', ...more },
  };
}

export function changeEntry(execution: number, status: ExecutionStatus | null, tags: string[] = []): JournalEntry {
  return { kind: 'change', executionId: executionOf(execution), status, tags, reason: '' };
}

/** Appends one batch. */
export function append(journal: EventJournal, ...entries: JournalEntry[]): ReturnType<EventJournal['append']> {
  return journal.append(entries, 100 * entries.length);
}

/** Appends events one by one; their ids. */
export async function appendEvents(journal: EventJournal, count: number, execution = 1): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) ids.push(...(await append(journal, eventEntry(execution, { path: `f${n}` }))).ids);
  return ids;
}

/** Every kept record after a sequence, decoded. */
export async function recordsAfter(
  journal: EventJournal,
  after: number,
  executions: readonly number[] | null = null,
): Promise<RecordMessage[]> {
  const records: RecordMessage[] = [];
  const range = {
    after: toSequence(after),
    until: toSequence(sequenceMax),
    executionIds: executions?.map(executionOf) ?? null,
    eventsOnly: false,
    limitBytes: 1e9,
    limitRecords: 1e6,
  };
  await journal.read(range, (record) => {
    records.push(decodeRecord(record));
  });
  return records;
}

export const sequencesOf = (records: readonly RecordMessage[]): number[] => records.map(({ sequence }) => sequence);

/** Sweeps until there is nothing to do. */
export async function sweepAll(journal: EventJournal): Promise<void> {
  while (await journal.sweep());
}
