import test from 'ava';
import type { ShardReport } from '../../src/contract/shard-messages.ts';
import { systemClock } from '../../src/core/clock.ts';
import { historyBlockBytes, historyReadsMax, historyRetryMs } from '../../src/core/limits.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { HistoryDesk } from '../../src/registrar/history-desk.ts';
import { BusGateway } from '../../src/upstream/bus-gateway.ts';
import { JournalView } from '../../src/upstream/journal-view.ts';
import { createBusClient } from '../../src/wire/bus/bus-client.ts';
import { serveBus } from '../../src/wire/bus/bus-server.ts';
import type { BusService } from '../../src/wire/bus/bus-service.ts';
import { until } from '../support/fake-clock.ts';
import { FakeMail } from '../support/fake-mail.ts';
import { testId } from '../support/record-batch.ts';
import { executionOf } from '../support/shard-harness.ts';

function read(ticket: number): Extract<ShardReport, { kind: 'read-history' }> {
  const until = { sequence: 9 as Sequence, id: testId(9) };
  const executionIds = [executionOf(1)];
  return { kind: 'read-history', ticket, executionIds, after: 0 as Sequence, until, bytesMax: historyBlockBytes };
}

// Eight reads that nobody wants and a slow disk would keep everybody else's history waiting until the bus has read them to their end.
test('reads that are dropped are cancelled at a real bus, and their places go to those that wait', async (t) => {
  let opened = 0;
  let cancelled = 0;
  // A bus that never answers a read, and sees it go.
  const service = {
    read: (_request, { signal }) => {
      opened += 1;
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          cancelled += 1;
          resolve();
        });
      });
    },
    subscribe: () => Promise.resolve(),
    executions: () => Promise.resolve(),
    publish: () => Promise.reject(new RangeError('not asked for')),
    describe: () => Promise.reject(new RangeError('not asked for')),
  } satisfies BusService;
  const faults: unknown[] = [];
  const onFault = (fault: unknown): void => void faults.push(fault);
  const server = await serveBus(service, { host: '127.0.0.1', port: 0, clock: systemClock, onInternalError: onFault });
  const client = createBusClient(`127.0.0.1:${server.port}`, { clock: systemClock });
  t.teardown(async () => {
    client.close();
    await server.stop();
  });
  const bus = new BusGateway(client, new JournalView(), systemClock);
  const desk = new HistoryDesk({ bus, clock: systemClock, backoff: () => ({ next: () => historyRetryMs }), onFault });
  const mail = new FakeMail();
  const all = historyReadsMax + 1;
  for (let ticket = 1; ticket <= all; ticket += 1) desk.ask(mail, read(ticket));
  await until(() => opened === historyReadsMax);
  desk.drop(mail, 1);
  await until(() => cancelled === 1 && opened === all);
  t.is(desk.queued, 0);
  desk.close();
  await until(() => cancelled === all);
  t.deepEqual([desk.open, mail.posts.length, faults], [0, 0, []]);
});
