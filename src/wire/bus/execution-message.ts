import type { ExecutionFacts } from '../../contract/journal.ts';
import { statusNumber, statusOfNumber } from '../record/record-codec.ts';
import type { ExecutionMessage } from './bus-messages.ts';

const isoText = (ms: number): string => new Date(ms).toISOString();

export function executionMessage(facts: ExecutionFacts): ExecutionMessage {
  return {
    execution_id: facts.executionId,
    status: statusNumber(facts.status),
    tags: facts.tags,
    reason: facts.reason,
    created_sequence: facts.createdSequence,
    status_sequence: facts.statusSequence,
    last_change_sequence: facts.lastChangeSequence,
    last_event_sequence: facts.lastEventSequence,
    events: facts.events,
    bytes: facts.bytes,
    late_events: facts.lateEvents,
    first_event_time: facts.firstEventTime,
    last_event_time: facts.lastEventTime,
    created_time: isoText(facts.createdMs),
    changed_time: isoText(facts.changedMs),
    last_id: facts.lastId,
  };
}

/** The way back, for the registry of a router. A status that this version does not know counts as running; a bad time as the epoch. */
export function executionFacts(message: ExecutionMessage): ExecutionFacts {
  return {
    executionId: message.execution_id,
    status: statusOfNumber(message.status) ?? 'running',
    tags: message.tags,
    reason: message.reason,
    createdSequence: message.created_sequence,
    createdMs: Date.parse(message.created_time) || 0,
    statusSequence: message.status_sequence,
    lastChangeSequence: message.last_change_sequence,
    lastChangeId: '',
    lastEventSequence: message.last_event_sequence,
    events: message.events,
    bytes: message.bytes,
    lateEvents: message.late_events,
    firstEventTime: message.first_event_time,
    lastEventTime: message.last_event_time,
    changedMs: Date.parse(message.changed_time) || 0,
    lastId: message.last_id,
  };
}
