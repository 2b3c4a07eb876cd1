import { availableParallelism } from 'node:os';
import * as limits from '../../core/limits.ts';
import * as bounds from './option-bounds.ts';
import type { RawValue, ValueKind } from './values.ts';
import * as value from './values.ts';

/** The commands that an option belongs to. A key of the file for another command is fine: one file serves all of them. */
export type CommandName = 'up' | 'bus' | 'router' | 'publish' | 'demo';

/** One option: the flag `--name`, the variable `RIVULET_NAME`, the key `name` of the file, and its line of help. */
export interface Option<Value> {
  readonly kind: ValueKind<Value>;
  readonly default: RawValue;
  readonly commands: readonly CommandName[];
  readonly help: string;
}

function option<Value>(
  kind: ValueKind<Value>,
  defaultValue: RawValue,
  commands: readonly CommandName[],
  help: string,
): Option<Value> {
  return { kind, default: defaultValue, commands, help };
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const engines = ['lmdb', 'memory'] as const;

/** The machine's cores less one for the main thread, its gRPC client and the journal. */
const shardsDefault = Math.min(limits.shardsMax, Math.max(1, availableParallelism() - 1));

const router = ['up', 'router'] as const;
const bus = ['up', 'bus'] as const;
const server = ['up', 'bus', 'router'] as const;

/**
 * The one list of options. Flags, variables, file and help are all derived from it; adding one here is all that is needed.
 *
 * Durations are milliseconds once read, sizes are bytes.
 */
export const options = {
  host: option(value.host(), '127.0.0.1', router, 'address of the HTTP server; beyond loopback needs --insecure'),
  port: option(value.port(), 8080, router, 'port of the HTTP server'),
  'bus-host': option(value.host(), '127.0.0.1', bus, 'address of the gRPC bus; beyond loopback needs --insecure'),
  'bus-port': option(value.port(), 50_051, bus, 'port of the gRPC bus'),
  'ops-host': option(value.host(), '127.0.0.1', router, 'address of /metrics; beyond loopback needs --insecure'),
  'ops-port': option(value.port(), 9464, router, 'port of /metrics'),
  insecure: option(
    value.toggle(),
    false,
    server,
    'allow addresses beyond loopback although there is no authentication',
  ),
  supervise: option(value.toggle(), false, server, 'run as a child process that is started again when it breaks'),
  bus: option(value.address(), '127.0.0.1:50051', ['router', 'publish', 'demo'], 'the bus to connect to'),
  url: option(value.url(), 'http://127.0.0.1:8080', ['publish', 'demo'], 'the HTTP server to talk to'),
  'data-dir': option(value.directory(), '.rivulet', bus, 'where the journal is kept'),
  engine: option(value.choice(engines, 'engine'), 'lmdb', bus, 'journal engine: lmdb lasts, memory is gone at exit'),
  'retention-age': option(
    value.duration(bounds.retentionAgeMsMin, bounds.retentionAgeMsMax),
    '7d',
    bus,
    'how long events are kept',
  ),
  'retention-bytes': option(
    value.bytes(bounds.retentionBytesMin, bounds.retentionBytesMax),
    '10GiB',
    bus,
    'how many bytes of events are kept',
  ),
  'execution-retention-age': option(
    value.duration(bounds.retentionAgeMsMin, bounds.retentionAgeMsMax),
    '30d',
    bus,
    'how long an execution is remembered after its last change',
  ),
  'execution-retention-count': option(
    value.wholeNumber(bounds.executionsKeptMin, bounds.executionsKeptMax),
    1_000_000,
    bus,
    'how many executions are remembered; those that are over go first',
  ),
  'idempotency-age': option(
    value.duration(bounds.idempotencyAgeMsMin, bounds.retentionAgeMsMax),
    '24h',
    bus,
    'how long a source_id is remembered',
  ),
  'idempotency-keys': option(
    value.wholeNumber(1, bounds.idempotencyKeysMax),
    10_000_000,
    bus,
    'how many source_ids are remembered, the oldest forgotten first',
  ),
  shards: option(
    value.wholeNumber(1, limits.shardsMax),
    shardsDefault,
    router,
    'threads that own connections; the default is one less than the cores',
  ),
  'window-bytes': option(
    value.bytes(limits.windowBytesMin, limits.windowBytesMax),
    '64MiB',
    router,
    'shared memory for the newest events',
  ),
  connections: option(value.wholeNumber(1, bounds.connectionsMax), 20_000, router, 'open streams, over all shards'),
  'connections-per-address': option(
    value.wholeNumber(0, bounds.connectionsMax),
    0,
    router,
    'open streams of one client address; 0 is no limit',
  ),
  'publish-rate': option(
    value.wholeNumber(0, bounds.publishRateMax),
    0,
    router,
    'events and changes a second over HTTP, all clients together; 0 is no limit',
  ),
  'bus-publish-rate': option(
    value.wholeNumber(0, bounds.publishRateMax),
    0,
    bus,
    'events and changes a second over gRPC, all publishers together, routers included; 0 is no limit',
  ),
  'trusted-proxies': option(value.networks(), '', router, 'proxies whose X-Forwarded-For is believed'),
  'allowed-hosts': option(value.hosts(), '', router, 'Host headers taken beside loopback names; * takes all'),
  'cors-origins': option(value.origins(), '', router, 'web origins that may read, beside loopback ones'),
  'cors-write-origins': option(value.origins(), '', router, 'web origins that may also publish'),
  'log-level': option(value.choice(logLevels, 'level'), 'info', server, 'least serious message that is logged'),
  input: option(
    value.folderOrNone(),
    '',
    ['demo'],
    "folder of .md and .txt documents; the default is the project's own docs",
  ),
  output: option(value.directory(), '.rivulet/demo', ['demo'], 'folder that the pipeline writes to'),
  pace: option(value.seconds(limits.demoPaceMsMax), 20, ['demo'], 'seconds that the run is spread over'),
} as const satisfies Record<string, Option<unknown>>;

export type OptionName = keyof typeof options;

/** Every option, read. */
export type Configuration = {
  readonly [Name in OptionName]: (typeof options)[Name] extends Option<infer Value> ? Value : never;
};

export const optionNames = Object.keys(options) as readonly OptionName[];

export const environmentName = (name: string): string => `RIVULET_${name.toUpperCase().replaceAll('-', '_')}`;

export const isOptionName = (text: string): text is OptionName => Object.hasOwn(options, text);
