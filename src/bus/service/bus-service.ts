import type { EventJournal } from '../../contract/journal.ts';
import type { Clock } from '../../core/clock.ts';
import { batchEventsMax } from '../../core/limits.ts';
import {
  type DescribeRequestMessage,
  type DescribeResponseMessage,
  verdictNumbers,
} from '../../wire/bus/bus-messages.ts';
import type { BusService } from '../../wire/bus/bus-service.ts';
import { feedExecutions } from './execution-feed.ts';
import type { PublishGate } from './publish-gate.ts';
import { ReadTurns } from './read-turns.ts';
import { feedReader, feedSubscriber } from './record-feed.ts';
import { entriesOf } from './request-entries.ts';
import { startPosition } from './start-position.ts';

/** The calls of the bus on a journal. */
export function createBusService(journal: EventJournal, admit: PublishGate, clock: Clock): BusService {
  const turns = new ReadTurns(clock);
  return {
    async publish(request, bytes) {
      const entries = entriesOf(request);
      // More than a batch is refused below, with the reason.
      if (entries.length <= batchEventsMax) admit(entries.length);
      const { ids, lastSequence } = await journal.append(entries, bytes);
      return { ids, last_sequence: lastSequence };
    },
    async subscribe(request, sink) {
      const start = await startPosition(journal, request.from ?? null);
      await feedSubscriber(journal, start, sink);
    },
    read: (request, sink) => feedReader(journal, request, sink, turns),
    executions: (request, sink) => feedExecutions(journal, request, sink),
    describe: (request) => describe(journal, request),
  };
}

async function describe(journal: EventJournal, request: DescribeRequestMessage): Promise<DescribeResponseMessage> {
  const { cursor = '' } = request;
  const placement = cursor === '' ? null : await journal.place(cursor);
  const description = journal.describe();
  return {
    journal_id: description.journalId,
    journal_tag: description.tag,
    created_time: new Date(description.createdMs).toISOString(),
    origin_id: description.originId,
    oldest_sequence: description.oldestSequence,
    oldest_id: description.oldestId,
    newest_sequence: description.newestSequence,
    newest_id: description.newestId,
    retained_bytes: description.retainedBytes,
    retention_max_age_ms: description.retentionAgeMs,
    retention_max_bytes: description.retentionBytes,
    damaged_sequence: description.damagedSequence,
    ...(placement === null
      ? {}
      : {
          placement: {
            verdict: verdictNumbers[placement.verdict],
            sequence: placement.sequence,
            id: placement.id,
          },
        }),
  };
}
