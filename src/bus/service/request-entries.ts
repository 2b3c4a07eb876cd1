import type { JournalEntry, JournalInput, PlainEvents } from '../../contract/journal.ts';
import type { StorageEventInput } from '../../core/event.ts';
import { type Fault, InvalidInputError } from '../../core/failure.ts';
import type {
  ExecutionChangeMessage,
  PublishRequestMessage,
  StorageEventMessage,
} from '../../wire/bus/bus-messages.ts';
import { statusOfNumber } from '../../wire/record/record-codec.ts';

/** The entries of a publish. Throws InvalidInputError for what has no form at all; the journal judges the rest. */
export function entriesOf(request: PublishRequestMessage | PlainEvents): JournalInput {
  if ('kind' in request) return request;
  const faults: Fault[] = [];
  const entries: JournalEntry[] = [];
  for (const [index, { event, change }] of request.entries.entries()) {
    if (event !== undefined) entries.push({ kind: 'event', event: eventOf(event) });
    else if (change === undefined) faults.push({ field: ['entries', index], reason: 'must be an event or a change' });
    else if ((change.status ?? 0) !== 0 && statusOfNumber(change.status ?? 0) === null) {
      faults.push({ field: ['entries', index, 'change', 'status'], reason: 'must be a known status' });
    } else entries.push(changeOf(change));
  }
  if (faults.length > 0) throw new InvalidInputError(faults);
  return entries;
}

/** Proto3 has no absent text: '' is absent. `extension` and `topic` are the bus's to say. */
function eventOf(message: StorageEventMessage): StorageEventInput {
  const { size, content_type, checksum, uri, time, source_id, metadata = {} } = message;
  const given = (text: string | undefined): text is string => text !== undefined && text !== '';
  return {
    execution_id: message.execution_id ?? '',
    stage: message.stage ?? '',
    path: message.path ?? '',
    ...(size === undefined ? {} : { size }),
    ...(given(content_type) ? { content_type } : {}),
    ...(given(checksum) ? { checksum } : {}),
    ...(given(uri) ? { uri } : {}),
    ...(given(time) ? { time } : {}),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(given(source_id) ? { source_id } : {}),
  };
}

function changeOf(message: ExecutionChangeMessage): JournalEntry {
  return {
    kind: 'change',
    executionId: message.execution_id ?? '',
    status: statusOfNumber(message.status ?? 0),
    tags: message.tags ?? [],
    reason: message.reason ?? '',
  };
}
