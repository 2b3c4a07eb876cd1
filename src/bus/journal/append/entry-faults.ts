import type { JournalEntry, JournalInput } from '../../../contract/journal.ts';
import { eventFaults } from '../../../core/event.ts';
import { parseUuid } from '../../../core/event-id.ts';
import { eventSizeFault } from '../../../core/event-json.ts';
import { reasonFault, tagFault } from '../../../core/execution.ts';
import type { Fault } from '../../../core/failure.ts';
import * as limits from '../../../core/limits.ts';

/** Faults that one answer names; a batch of a thousand bad events needs no longer list. */
const faultsMax = 100;

/** Every fault of a batch, fields from `entries` on; empty when it may be staged. */
export function batchFaults(entries: JournalInput, bytes: number): Fault[] {
  if ('kind' in entries) return [];
  if (entries.length === 0) return [{ field: ['entries'], reason: 'must not be empty' }];
  if (entries.length > limits.batchEventsMax) {
    return [{ field: ['entries'], reason: `must be at most ${limits.batchEventsMax}, are ${entries.length}` }];
  }
  if (bytes > limits.batchBytesMax) {
    return [{ field: ['entries'], reason: `must be at most ${limits.batchBytesMax} bytes together, are ${bytes}` }];
  }
  const faults: Fault[] = [];
  for (const [index, entry] of entries.entries()) {
    const found = entry.kind === 'event' ? storageEventFaults(entry) : changeFaults(entry);
    for (const { field, reason } of found) faults.push({ field: ['entries', index, entry.kind, ...field], reason });
    if (faults.length >= faultsMax) break;
  }
  return faults;
}

function storageEventFaults(entry: Extract<JournalEntry, { kind: 'event' }>): Fault[] {
  const faults = eventFaults(entry.event);
  if (faults.length > 0) return faults;
  const tooLarge = eventSizeFault(entry.event);
  return tooLarge === null ? [] : [{ field: [], reason: tooLarge }];
}

function changeFaults(change: Extract<JournalEntry, { kind: 'change' }>): Fault[] {
  const faults: Fault[] = [];
  if (parseUuid(change.executionId) === null) faults.push({ field: ['execution_id'], reason: 'must be a UUID' });
  if (change.status === null && change.tags.length === 0) {
    faults.push({ field: ['status'], reason: 'must be given when no tag is' });
  }
  for (const [index, tag] of change.tags.entries()) {
    const reason = tagFault(tag);
    if (reason !== null) faults.push({ field: ['tags', index], reason });
    if (faults.length >= faultsMax) break;
  }
  const reason = reasonFault(change.reason);
  if (reason !== null) faults.push({ field: ['reason'], reason });
  return faults;
}
