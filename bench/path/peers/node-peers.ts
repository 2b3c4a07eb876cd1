import { readFileSync } from 'node:fs';
import { projectFile } from '../../project-file.ts';
import { benchData, benchFrame, benchId, eventType } from '../bench-event.ts';
import { serverCore } from '../pinning.ts';
import { startServer } from '../server-process.ts';
import { httpSource, type PublishCall } from './event-publisher.ts';
import type { Peer } from './peer.ts';

const executionId = '0190b6a2-7c1e-4f00-9a3b-000000000001';

/** The publisher hands over a finished frame. */
export const nodeHttp: Peer = {
  name: 'node:http',
  answerMeans: 'in memory',
  missing: () => null,
  start: () =>
    started('build/bench/path/peers/node-http-server.js', process.version, (index, dueNs) =>
      benchFrame(executionId, index, dueNs),
    ),
};

/** The publisher hands over the fields: building the frame is the library's work. */
export const betterSse: Peer = {
  name: 'better-sse',
  answerMeans: 'in memory',
  missing: () => null,
  start: () =>
    started('build/bench/path/peers/better-sse-server.js', packageVersion('better-sse'), (index, dueNs) =>
      JSON.stringify({ id: benchId(index), event: eventType, data: benchData(executionId, index, dueNs) }),
    ),
};

async function started(module: string, version: string, body: PublishCall['body']) {
  const server = await startServer(serverCore, module, []);
  return {
    version,
    port: server.port,
    target: '/',
    readyBy: 'frame' as const,
    source: (events: number) => httpSource({ port: server.port, path: '/', inFlightMax: 64, body }, events),
    cpuSeconds: () => server.cpuSeconds(),
    stop: () => server.stop(),
  };
}

function packageVersion(name: string): string {
  const text = readFileSync(projectFile(`node_modules/${name}/package.json`), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
