import { systemClock } from '../../../src/core/clock.ts';
import { type BusClient, createBusClient } from '../../../src/wire/bus/bus-client.ts';
import type { DescribeResponseMessage, RecordMessage } from '../../../src/wire/bus/bus-messages.ts';
import { decodeRecordBatch } from '../../../src/wire/grpc/grpc-proto.ts';
import { type ModelEvent, owedOf, type Watch } from '../../support/delivery-model.ts';
import { hold, InvariantError, type StressContext } from '../scenario.ts';
import type { Acknowledged } from './publisher.ts';

/** A storage event as the journal holds it. */
export interface JournalEvent extends ModelEvent {
  readonly sequence: number;
  readonly sourceId: string;
}

/** What a bus held when it was read: the truth that deliveries are compared with where an acknowledgement may be lost. */
export class Journal {
  readonly description: DescribeResponseMessage;
  readonly records: readonly RecordMessage[];
  /** With the tags that the execution had at each. */
  readonly events: readonly JournalEvent[];
  readonly #byId: ReadonlyMap<string, JournalEvent>;

  constructor(description: DescribeResponseMessage, records: readonly RecordMessage[]) {
    this.description = description;
    this.records = records;
    this.events = eventsOf(records);
    this.#byId = new Map(this.events.map((event) => [event.id, event]));
  }

  event(id: string): JournalEvent | undefined {
    return this.#byId.get(id);
  }

  /** Ids that a watch is owed behind `after` (null: all) and up to `until` (null: all), in order. */
  owed(watch: Watch, after: string | null, until: string | null): string[] {
    return owedOf(this.events, watch, after, until);
  }

  /** The id with its place, for a person. */
  named(id: string | undefined): string {
    if (id === undefined) return 'nothing';
    const event = this.#byId.get(id);
    if (event !== undefined) return `${id} (sequence ${event.sequence}, ${event.path})`;
    const record = this.records.find((one) => one.id === id);
    return `${id} (${record === undefined ? 'not an event of this journal' : `sequence ${record.sequence}, a change`})`;
  }

  get positions(): string {
    return positionsOf(this.description);
  }
}

function positionsOf(of: DescribeResponseMessage): string {
  return (
    `journal ${of.journal_id} tag ${of.journal_tag}: oldest ${of.oldest_sequence} ${of.oldest_id}, ` +
    `newest ${of.newest_sequence} ${of.newest_id}`
  );
}

function eventsOf(records: readonly RecordMessage[]): JournalEvent[] {
  const tags = new Map<string, string[]>();
  const events: JournalEvent[] = [];
  for (const { id, sequence, event, change } of records) {
    if (change !== undefined) {
      const executionId = change.execution_id ?? '';
      tags.set(executionId, [...(tags.get(executionId) ?? []), ...(change.tags ?? [])]);
    } else if (event !== undefined) {
      const { execution_id: executionId = '', stage = '', path = '', source_id: sourceId = '' } = event;
      events.push({ id, sequence, executionId, stage, path, sourceId, tags: tags.get(executionId) ?? [] });
    }
  }
  return events;
}

async function withClient<Value>(address: string, use: (client: BusClient) => Promise<Value>): Promise<Value> {
  const client = createBusClient(address, { clock: systemClock });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

export function describeBus(address: string, cursor = ''): Promise<DescribeResponseMessage> {
  return withClient(address, (client) => client.describe(cursor));
}

/** A router that hangs is what a failure may be about. */
const routerPatienceMs = 3_000;

/** The positions of a bus in one line, or why they are not to be had; for `onFailure`. */
export async function positionsOfBus(address: string): Promise<string> {
  try {
    return positionsOf(await describeBus(address));
  } catch (error) {
    return `bus ${address}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Where a router stands, in one line, or why that is not to be had; for `onFailure`. */
export async function positionOfRouter(http: string): Promise<string> {
  try {
    const answer = await fetch(`${http}/readyz`, { signal: AbortSignal.timeout(routerPatienceMs) });
    const { status, last_event_id: id, lag } = (await answer.json()) as Record<string, unknown>;
    return `router ${http}: ${String(status)}, stands at ${String(id)}, lag ${String(lag)}`;
  } catch (error) {
    return `router ${http}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** One Read brings at most so much; the rest is asked for behind it. */
const readBytes = 16_777_216;

/** Every record of the journal, from the oldest kept to the newest of now. Fails when sequences or ids do not rise. */
export function journalOf(address: string): Promise<Journal> {
  return withClient(address, async (client) => {
    const description = await client.describe();
    const records: RecordMessage[] = [];
    const until = description.newest_sequence;
    let after = Math.max(0, description.oldest_sequence - 1);
    while (description.oldest_sequence > 0 && after < until) {
      const before = after;
      for await (const bytes of client.read({ after_sequence: after, until_sequence: until, limit_bytes: readBytes })) {
        const batch = decodeRecordBatch(bytes);
        records.push(...batch.records);
        after = Math.max(after, batch.through_sequence, batch.records.at(-1)?.sequence ?? 0);
      }
      hold(after > before, `a read of the journal behind ${before} brought nothing, although it goes on to ${until}`);
    }
    expectRising(records);
    return new Journal(description, records);
  });
}

function expectRising(records: readonly RecordMessage[]): void {
  for (const [index, { sequence, id }] of records.entries()) {
    const previous = records[index - 1];
    if (previous === undefined || (sequence > previous.sequence && id > previous.id)) continue;
    throw new InvariantError(`record ${sequence} ${id} stands behind ${previous.sequence} ${previous.id}`);
  }
}

/**
 * Every acknowledged event stands in the journal with the acknowledged id and what was published, one publisher's in the order in which
 * it published, and every `source_id` stands there once.
 */
export function expectAcknowledged(
  context: StressContext,
  acknowledged: readonly Acknowledged[],
  journal: Journal,
): void {
  let previous = '';
  for (const [index, one] of acknowledged.entries()) {
    const stored = journal.event(one.id);
    const said = `acknowledged event ${index} of ${acknowledged.length}, ${one.sourceId}: `;
    hold(stored !== undefined, `${said}${one.id} is not in the journal; ${journal.positions}`);
    const same = stored.sourceId === one.sourceId && stored.executionId === one.executionId && stored.path === one.path;
    hold(
      same,
      () => `${said}${one.id} is another event in the journal: ${JSON.stringify(stored)}; ${journal.positions}`,
    );
    hold(
      one.id > previous,
      `${said}${one.id} does not come behind the one before it, ${previous}; ${journal.positions}`,
    );
    previous = one.id;
  }
  context.checked('acknowledged events found', acknowledged.length);
}

/** No (`execution_id`, `source_id`) stands in the journal twice, however often it was published. */
export function expectOnce(context: StressContext, journal: Journal): void {
  const seen = new Map<string, JournalEvent>();
  let keyed = 0;
  for (const event of journal.events) {
    if (event.sourceId === '') continue;
    keyed += 1;
    const key = `${event.executionId} ${event.sourceId}`;
    const first = seen.get(key);
    hold(first === undefined, () => `${key} stands twice: ${first?.id ?? ''} and ${event.id}; ${journal.positions}`);
    seen.set(key, event);
  }
  context.checked('source_ids found once', keyed);
}
