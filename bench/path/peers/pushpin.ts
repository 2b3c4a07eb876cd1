import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchFrame } from '../bench-event.ts';
import { worldCore } from '../pinning.ts';
import { startServer } from '../server-process.ts';
import { freePorts, startDaemon, versionOf } from './daemon.ts';
import { httpSource } from './event-publisher.ts';
import type { Peer } from './peer.ts';

const executionId = '0190b6a2-7c1e-4f00-9a3b-000000000001';

/** Pushpin (condure, zurl, proxy, handler, all on the server's core) before an origin on the other that answers `Grip-Hold: stream`; published over its HTTP port. In memory only. */
export const pushpin: Peer = {
  name: 'Pushpin',
  answerMeans: 'in memory',
  missing: () =>
    ['pushpin', 'condure', 'zurl'].every((command) => versionOf(command, '--version') !== null)
      ? null
      : 'apt-get install pushpin',
  start: async (directory) => {
    const origin = await startServer(worldCore, 'build/bench/path/peers/pushpin-origin-server.js', []);
    const [port = 0, publishPort = 0] = await freePorts(2);
    for (const name of ['run', 'log']) mkdirSync(join(directory, name));
    writeFileSync(join(directory, 'routes'), `* 127.0.0.1:${origin.port}\n`);
    const file = join(directory, 'pushpin.conf');
    writeFileSync(file, configuration(directory, port, publishPort));
    const daemon = await startDaemon('pushpin', ['--config', file], [port, publishPort]);
    const item = (content: string): string =>
      JSON.stringify({ items: [{ channel: 'bench', formats: { 'http-stream': { content } } }] });
    const body = (index: number, dueNs: bigint): string => item(benchFrame(executionId, index, dueNs));
    return {
      version: versionOf('pushpin', '--version') ?? '',
      port,
      target: '/',
      readyBy: 'frame',
      source: (events) =>
        httpSource(
          {
            port: publishPort,
            path: '/publish/',
            headers: { 'Content-Type': 'application/json' },
            // It closes a connection on which a second call comes before the answer to the first.
            inFlightMax: 1,
            body,
          },
          events,
        ),
      cpuSeconds: () => daemon.cpuSeconds(),
      stop: async () => {
        await daemon.stop();
        await origin.stop();
      },
    };
  },
};

/** Debian's defaults, with places and ports of the bench's own, and without the bound on messages a second (2,500, and 25,000 that wait). */
function configuration(directory: string, port: number, publishPort: number): string {
  return `[global]
include={libdir}/internal.conf
rundir=${directory}/run
ipc_prefix=bench-
port_offset=0
stats_connection_ttl=120

[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:${port}
logdir=${directory}/log
log_level=1
client_buffer_size=8192
client_maxconn=50000
condure_bin=condure
zurl_bin=zurl

[proxy]
routesfile=${directory}/routes
debug=false
updates_check=off
sig_key=bench
zurl_out_specs=ipc://{rundir}/{ipc_prefix}zurl-in
zurl_out_stream_specs=ipc://{rundir}/{ipc_prefix}zurl-in-stream
zurl_in_specs=ipc://{rundir}/{ipc_prefix}zurl-out

[handler]
push_in_spec=ipc://{rundir}/{ipc_prefix}push-in
push_in_sub_specs=ipc://{rundir}/{ipc_prefix}push-in-sub
push_in_http_addr=127.0.0.1
push_in_http_port=${publishPort}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
stats_spec=ipc://{rundir}/{ipc_prefix}stats
command_spec=ipc://{rundir}/{ipc_prefix}command
message_rate=100000000
message_hwm=100000000
message_wait=5000
id_cache_ttl=60
connection_subscription_max=20
subscription_linger=60
stats_subscription_ttl=60
stats_report_interval=10
stats_format=tnetstring
`;
}
