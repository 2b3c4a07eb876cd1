import { systemClock } from '../../../src/core/clock.ts';
import { type BusClient, createBusClient } from '../../../src/wire/bus/bus-client.ts';
import type { PublishEntryMessage } from '../../../src/wire/bus/bus-messages.ts';
import type { StressContext } from '../scenario.ts';

/** A connection to the bus of its own, which ends with the scenario. */
export function busClientOf(context: StressContext, address: string): BusClient {
  const client = createBusClient(address, { clock: systemClock });
  context.teardown(() => {
    client.close();
  });
  return client;
}

export function eventEntry(execution: string, path: string, stage = 'ingest'): PublishEntryMessage {
  return { event: { execution_id: execution, stage, path } };
}

/** `status`: as the proto numbers it, 0: as it is. */
export function changeEntry(execution: string, status: number, tags: readonly string[] = []): PublishEntryMessage {
  return { change: { execution_id: execution, status, tags } };
}

const entriesPerBatch = 500;

/** All of them, in order, in full batches; answers their ids. */
export async function publishAll(client: BusClient, entries: readonly PublishEntryMessage[]): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < entries.length; from += entriesPerBatch) {
    ids.push(...(await client.publish({ entries: entries.slice(from, from + entriesPerBatch) })).ids);
  }
  return ids;
}
