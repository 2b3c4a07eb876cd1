import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import type { Log, LogSettings } from '../../observe/log.ts';
import type { Configuration } from '../configuration/options.ts';
import { projectVersion } from '../project.ts';
import type { RouterOptions } from '../router-options.ts';

/** What the bus's thread is started with. Plain data; sizes in bytes, times in milliseconds. */
export interface BusSettings {
  readonly host: string;
  readonly port: number;
  readonly engine: 'lmdb' | 'memory';
  readonly dataDirectory: string;
  readonly retentionAgeMs: number;
  readonly retentionBytes: number;
  readonly executionRetentionAgeMs: number;
  readonly executionRetentionCount: number;
  readonly idempotencyAgeMs: number;
  readonly idempotencyKeys: number;
  readonly log: LogSettings;
}

export function busSettings(configuration: Configuration, log: LogSettings): BusSettings {
  return {
    host: configuration['bus-host'],
    port: configuration['bus-port'],
    engine: configuration.engine,
    dataDirectory: resolve(configuration['data-dir']),
    retentionAgeMs: configuration['retention-age'],
    retentionBytes: configuration['retention-bytes'],
    executionRetentionAgeMs: configuration['execution-retention-age'],
    executionRetentionCount: configuration['execution-retention-count'],
    idempotencyAgeMs: configuration['idempotency-age'],
    idempotencyKeys: configuration['idempotency-keys'],
    log,
  };
}

export function routerOptions(
  configuration: Configuration,
  busAddress: string,
  log: Log,
  logSettings: LogSettings,
): RouterOptions {
  return {
    busAddress,
    host: configuration.host,
    port: configuration.port,
    shards: configuration.shards,
    windowBytes: configuration['window-bytes'],
    connections: configuration.connections,
    connectionsPerAddress: configuration['connections-per-address'],
    edge: {
      allowedHosts: configuration['allowed-hosts'],
      corsOrigins: configuration['cors-origins'],
      corsWriteOrigins: configuration['cors-write-origins'],
      trustedProxies: configuration['trusted-proxies'],
      version: projectVersion,
    },
    log,
    logSettings,
  };
}

/** `host:port`, IPv6 in brackets. */
export const hostPort = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/** Where this machine reaches a server that listens on `host`: "everywhere" is not an address to connect to. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
