import test, { type ExecutionContext } from 'ava';
import type { PlainEvents } from '../../src/contract/journal.ts';
import { InvariantError } from '../../src/core/assert.ts';
import { systemClock } from '../../src/core/clock.ts';
import { type EventId, nilId } from '../../src/core/event-id.ts';
import { publishesInFlightMax } from '../../src/core/limits.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import type { PublishResponseMessage } from '../../src/wire/bus/bus-messages.ts';
import { serveBus } from '../../src/wire/bus/bus-server.ts';
import type { BusService } from '../../src/wire/bus/bus-service.ts';
import type { PublishPipe } from '../../src/wire/bus/publish-pipe.ts';
import { decodeRecord } from '../../src/wire/grpc/grpc-proto.ts';
import { executionOf } from '../support/journal-input.ts';
import { until } from '../support/until.ts';

const unused = (): Promise<never> => Promise.reject(new InvariantError('not called'));

interface Held {
  readonly path: string;
  readonly answer: () => void;
}

function pathOf(events: PlainEvents): string {
  const record = events.record(0, 1, nilId as EventId, '2026-11-24T12:00:00.000Z');
  return decodeRecord(record).event?.path ?? '';
}

/** A bus on a socket whose publishes are answered when the test says so. */
async function heldBus(t: ExecutionContext): Promise<{ readonly held: Held[]; readonly pipe: PublishPipe }> {
  const held: Held[] = [];
  const service: BusService = {
    read: unused,
    executions: unused,
    describe: unused,
    subscribe: unused,
    publish: (request) =>
      new Promise<PublishResponseMessage>((resolve) => {
        const path = 'kind' in request ? pathOf(request) : (request.entries[0]?.event?.path ?? '');
        const sequence = held.length + 1;
        held.push({
          path,
          answer: () => {
            resolve({ ids: [path], last_sequence: sequence });
          },
        });
      }),
  };
  const onInternalError = (error: unknown): void => {
    t.log(error);
  };
  const server = await serveBus(service, { host: '127.0.0.1', port: 0, clock: systemClock, onInternalError });
  const client = createBusClient(`127.0.0.1:${server.port}`, { clock: systemClock });
  t.teardown(() => {
    client.close();
    return server.stop();
  });
  return { held, pipe: client.publishPipe() };
}

/** So long nothing more has come that nothing more is going to: the requests wait in this process, or in its own loopback. */
async function quiet(held: readonly Held[]): Promise<void> {
  let still = 0;
  for (let before = -1; still < 500; still = before === held.length ? still + 1 : 0) {
    before = held.length;
    await new Promise((resolve) => void setImmediate(resolve));
  }
}

// Without the bound, one publisher that does not wait for its answers would put a whole queue of the journal's into memory.
test('a stream of publishes: 64 are in flight, the 65th is read when one has been answered, and all are answered in order', async (t) => {
  const { held, pipe } = await heldBus(t);
  const count = publishesInFlightMax * 3;
  const answers: string[] = [];
  const all = Array.from({ length: count }, async (_, n) => {
    const event = { execution_id: executionOf(1), stage: 's', path: `p${n}` };
    answers.push(...(await pipe.publish({ entries: [{ event }] })).ids);
  });
  await until(() => held.length === publishesInFlightMax, 'as many as may be are in flight');
  await quiet(held);
  t.is(held.length, publishesInFlightMax);
  // Answered out of turn: it is in flight as long as those before it are.
  held[1]?.answer();
  await quiet(held);
  t.is(held.length, publishesInFlightMax);
  held[0]?.answer();
  await until(() => held.length === publishesInFlightMax + 2, 'one more for each that was answered');
  await quiet(held);
  t.is(held.length, publishesInFlightMax + 2);
  for (let n = 2; n < count; n += 1) {
    await until(() => held.length > n, `request ${n} is read`);
    held[n]?.answer();
  }
  await Promise.all(all);
  const paths = Array.from({ length: count }, (_, n) => `p${n}`);
  t.deepEqual(
    held.map(({ path }) => path),
    paths,
    'none is lost, none comes twice',
  );
  t.deepEqual(answers, paths);
  pipe.end();
});
