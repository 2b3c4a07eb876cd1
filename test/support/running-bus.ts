import type { ExecutionContext } from 'ava';
import type { BusSettings } from '../../src/bus/start-bus.ts';
import { type RunningBus, startBus } from '../../src/bus/start-bus.ts';
import { systemClock } from '../../src/core/clock.ts';
import { type BusClient, createBusClient } from '../../src/wire/bus-client.ts';
import type { RecordBatchMessage, RecordMessage } from '../../src/wire/bus-messages.ts';
import { decodeRecordBatch } from '../../src/wire/grpc-proto.ts';

/** A bus on a port of its own, in this process, and a client; both end with the test. */
export async function runningBus(
  t: ExecutionContext,
  settings: Partial<BusSettings> = {},
): Promise<{ bus: RunningBus; client: BusClient; address: string }> {
  const events = {
    onWarning: (message: string) => {
      t.log(message);
    },
  };
  const defaults: BusSettings = { engine: 'memory', dataDirectory: '', host: '127.0.0.1', port: 0 };
  const bus = await startBus({ ...defaults, ...settings }, events);
  const address = `127.0.0.1:${bus.port}`;
  const client = createBusClient(address, { clock: systemClock });
  t.teardown(async () => {
    client.close();
    await bus.stop();
  });
  return { bus, client, address };
}

/** What a subscription brought, and a way to wait for more of it. */
export class Collected {
  readonly batches: RecordBatchMessage[] = [];
  readonly records: RecordMessage[] = [];
  error: unknown = null;
  #wake: () => void = () => undefined;

  readonly onBatch = (bytes: Buffer): void => {
    const batch = decodeRecordBatch(bytes);
    this.batches.push(batch);
    this.records.push(...batch.records);
    this.#wake();
  };

  readonly onEnd = (error: unknown): void => {
    this.error = error;
    this.#wake();
  };

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
