import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HealthReport } from '../../contract/control.ts';
import { StartError } from '../../core/failure.ts';
import { hostPort } from './settings.ts';

/** What the operator's port shows. */
export interface OpsProbes {
  /** The text format of Prometheus, version 0.0.4. */
  metrics(): Promise<string>;
  /** As `/healthz` of the HTTP server says it; null while there is no router yet. Answered by the main thread, whatever a shard does. */
  health(): HealthProbe | null;
}

export interface HealthProbe {
  readonly healthy: boolean;
  readonly report: HealthReport;
}

export interface RunningOps {
  readonly port: number;
  stop(): Promise<void>;
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}

async function respond(request: IncomingMessage, response: ServerResponse, probes: OpsProbes): Promise<void> {
  const path = request.url?.split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    answer(response, 405, 'text/plain; charset=utf-8', 'Method Not Allowed\n');
  } else if (path === '/metrics') {
    try {
      answer(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await probes.metrics());
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      answer(response, 503, 'text/plain; charset=utf-8', `metrics are not available: ${detail}\n`);
    }
  } else if (path === '/healthz') {
    const { healthy, report } = probes.health() ?? { healthy: true, report: { status: 'ok', shards: [] } };
    answer(response, healthy ? 200 : 503, 'application/json', `${JSON.stringify(report)}\n`);
  } else {
    answer(response, 404, 'text/plain; charset=utf-8', 'Not Found: /metrics and /healthz are here\n');
  }
}

/** Serves `/metrics` and `/healthz` apart from the traffic. Fails with a StartError when the address cannot be had. */
export async function startOpsServer(host: string, port: number, probes: OpsProbes): Promise<RunningOps> {
  const server = createServer((request, response) => {
    void respond(request, response, probes);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason =
        cause.code === 'EADDRINUSE'
          ? 'the port is taken by another program'
          : `it cannot be used (${cause.code ?? cause.message})`;
      const advice = 'choose another with --ops-port, or 0 for a free one';
      reject(new StartError(`/metrics cannot listen on ${hostPort(host, port)}: ${reason}; ${advice}`, 1, { cause }));
    });
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
