import { systemClock } from '../../core/clock.ts';
import { executionStatuses } from '../../core/execution.ts';
import { clientDeadlineMs } from '../../core/limits.ts';
import type { EventPublisher, PublishEntry } from '../../storage/publisher.ts';
import { createBusClient } from '../../wire/bus/bus-client.ts';
import type { PublishEntryMessage } from '../../wire/bus/bus-messages.ts';

function messageOf(entry: PublishEntry): PublishEntryMessage {
  if (entry.kind === 'event') return { event: entry.event };
  const { status, ...change } = entry.change;
  // The proto's enum counts from 1 in the order of core/execution.ts; 0 leaves the status as it is.
  return { change: { ...change, status: status === undefined ? 0 : executionStatuses.indexOf(status) + 1 } };
}

/** Publishes through the gRPC bus: a call is one batch, appended whole or not at all. `address` is host:port. */
export function openBusPublisher(address: string): EventPublisher {
  const client = createBusClient(address, { clock: systemClock });
  return {
    async publish(entries, onDurable) {
      const { ids } = await client.publish({ entries: entries.map(messageOf) }, clientDeadlineMs);
      onDurable?.(ids);
      return ids;
    },
    close() {
      client.close();
      return Promise.resolve();
    },
  };
}
