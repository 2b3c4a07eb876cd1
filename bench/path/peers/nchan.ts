import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchData, eventType } from '../bench-event.ts';
import { freePorts, startDaemon, versionOf } from './daemon.ts';
import { httpSource } from './event-publisher.ts';
import type { Peer } from './peer.ts';

const module = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const executionId = '0190b6a2-7c1e-4f00-9a3b-000000000001';

/**
 * nginx with nchan and a configuration of the bench's own; one worker. Its channel is in memory only: the answer to a publish promises nothing about
 * the disk. It makes the `id:` of a frame itself, so the frames are some bytes shorter than the others'.
 */
export const nchan: Peer = {
  name: 'nchan',
  answerMeans: 'in memory',
  missing: () =>
    existsSync(module) && versionOf('nginx', '-v') !== null ? null : 'apt-get install libnginx-mod-nchan',
  start: async (directory) => {
    const [port = 0] = await freePorts(1);
    mkdirSync(join(directory, 'logs'));
    const file = join(directory, 'nginx.conf');
    writeFileSync(file, configuration(directory, port));
    const nginx = await startDaemon('nginx', ['-p', directory, '-c', file, '-g', 'daemon off;'], [port]);
    const call = {
      port,
      path: '/publish',
      inFlightMax: 64,
      headers: { 'X-EventSource-Event': eventType },
      body: (index: number, dueNs: bigint) => JSON.stringify(benchData(executionId, index, dueNs)),
    };
    return {
      version: `nginx ${versionOf('nginx', '-v') ?? ''} with Debian's libnginx-mod-nchan`,
      port,
      target: '/events',
      readyBy: 'comment',
      source: (events) => httpSource(call, events),
      cpuSeconds: () => nginx.cpuSeconds(),
      stop: () => nginx.stop(),
    };
  },
};

/** As root nginx would hand its worker to a user who may not enter the directory. */
function configuration(directory: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `load_module ${module};
${user}
worker_processes 1;
worker_rlimit_nofile 65536;
pid ${directory}/nginx.pid;
error_log ${directory}/logs/error.log warn;
events { worker_connections 32768; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 100000000;
  ${folders.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /publish {
      nchan_publisher;
      nchan_channel_id bench;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 10s;
    }
    location = /events {
      nchan_subscriber eventsource;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
    }
  }
}
`;
}
