import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock } from '../../../src/core/clock.ts';
import { createBusClient } from '../../../src/wire/bus/bus-client.ts';
import { projectFile } from '../../project-file.ts';
import { executionSource } from '../feed.ts';
import { serverCore, worldCore } from '../pinning.ts';
import { startBus, startRouter } from '../server-process.ts';
import type { Peer } from './peer.ts';

/** Router on the server's core, bus on the other; published over gRPC, journalled, flushed. Its CPU is the router's. */
export const rivulet: Peer = {
  name: 'Rivulet',
  answerMeans: 'durable',
  missing: () => null,
  start: async (directory) => {
    const bus = await startBus(worldCore, directory);
    const router = await startRouter(serverCore, bus);
    const client = createBusClient(bus.ready['grpc'] ?? '', { clock: systemClock });
    const executionId = randomUUID();
    // Known before anybody asks for it.
    await client.publish({ entries: [{ change: { execution_id: executionId, status: 2, tags: [] } }] });
    const { version } = JSON.parse(readFileSync(projectFile('package.json'), 'utf8')) as { version: string };
    return {
      version,
      port: router.port,
      target: `/api/v1/storage/events?execution_id=${executionId}&timeout=3600`,
      readyBy: 'frame',
      source: (events) => executionSource({ client, executionId, events }),
      cpuSeconds: () => router.cpuSeconds(),
      stop: async () => {
        client.close();
        await router.stop();
        await bus.stop();
      },
    };
  },
};
