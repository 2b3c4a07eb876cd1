import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import type { BusSettings } from '../../bus/start-bus.ts';
import type { Log, LogSettings } from '../../observe/log.ts';
import type { Configuration } from '../configuration/options.ts';
import { projectVersion } from '../project.ts';
import type { RouterOptions } from '../router-options.ts';

/** The bus's own default stands where the configuration has none; `restored` is said by a command, not configured. */
export function busSettings(configuration: Configuration, restored: boolean): BusSettings {
  return {
    host: configuration['bus-host'],
    port: configuration['bus-port'],
    engine: configuration.engine,
    dataDirectory: resolve(configuration['data-dir']),
    retentionAgeMs: configuration['retention-age'],
    retentionBytes: configuration['retention-bytes'],
    executionAgeMs: configuration['execution-retention-age'],
    executionsMax: configuration['execution-retention-count'],
    idempotencyAgeMs: configuration['idempotency-age'],
    idempotencyKeysMax: configuration['idempotency-keys'],
    publishRate: configuration['bus-publish-rate'],
    restored,
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
    publishRate: configuration['publish-rate'],
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
