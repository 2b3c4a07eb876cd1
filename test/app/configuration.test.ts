import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readConfiguration } from '../../src/app/configuration/configuration.ts';
import {
  type CommandName,
  type Configuration,
  environmentName,
  type OptionName,
  optionNames,
  options,
} from '../../src/app/configuration/options.ts';
import type { RawValue } from '../../src/app/configuration/values.ts';
import { StartError } from '../../src/core/failure.ts';
import { ownDirectory } from '../support/command.ts';

interface Sources {
  readonly flags?: Readonly<Record<string, RawValue>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly file?: unknown;
  readonly command?: CommandName;
}

function read(t: ExecutionContext, sources: Sources): Configuration {
  const directory = ownDirectory(t);
  if (sources.file !== undefined) {
    const text = typeof sources.file === 'string' ? sources.file : JSON.stringify(sources.file);
    writeFileSync(join(directory, 'rivulet.json'), text);
  }
  const { flags = {}, environment = {}, command = 'up' } = sources;
  return readConfiguration(command, { flags, environment, directory }).configuration;
}

/** For each option: three texts that are not its default, and what they are read as. A new option does not compile untested. */
const samples: Readonly<Record<OptionName, readonly (readonly [text: string, value: unknown])[]>> = {
  host: [
    ['127.0.0.2', '127.0.0.2'],
    ['[::1]', '::1'],
    ['localhost', 'localhost'],
  ],
  port: [
    ['0', 0],
    ['65535', 65_535],
    ['9000', 9000],
  ],
  'bus-host': [
    ['127.0.0.2', '127.0.0.2'],
    ['::1', '::1'],
    ['localhost', 'localhost'],
  ],
  'bus-port': [
    ['0', 0],
    ['65535', 65_535],
    ['9000', 9000],
  ],
  'ops-host': [
    ['127.0.0.2', '127.0.0.2'],
    ['::1', '::1'],
    ['localhost', 'localhost'],
  ],
  'ops-port': [
    ['0', 0],
    ['65535', 65_535],
    ['9000', 9000],
  ],
  insecure: [
    ['true', true],
    ['1', true],
    ['true', true],
  ],
  supervise: [
    ['true', true],
    ['0', false],
    ['false', false],
  ],
  bus: [
    ['bus.example:50052', 'bus.example:50052'],
    ['[::1]:1', '[::1]:1'],
    ['10.0.0.1:65535', '10.0.0.1:65535'],
  ],
  url: [
    ['http://a.example/', 'http://a.example'],
    ['https://b:1', 'https://b:1'],
    ['http://c/x/', 'http://c/x'],
  ],
  'data-dir': [
    ['/a', '/a'],
    ['b c', 'b c'],
    ['../d', '../d'],
  ],
  engine: [
    ['memory', 'memory'],
    ['memory', 'memory'],
    ['memory', 'memory'],
  ],
  'retention-age': [
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5d', 129_600_000],
  ],
  'retention-bytes': [
    ['64MiB', 67_108_864],
    ['1 GB', 1_000_000_000],
    ['16777216', 16_777_216],
  ],
  'execution-retention-age': [
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5d', 129_600_000],
  ],
  'execution-retention-count': [
    ['10000', 10_000],
    ['20000', 20_000],
    ['10000000', 10_000_000],
  ],
  'idempotency-age': [
    ['1s', 1000],
    ['1500ms', 1500],
    ['2d', 172_800_000],
  ],
  'idempotency-keys': [
    ['1', 1],
    ['2', 2],
    ['100000000', 100_000_000],
  ],
  shards: [
    ['3', 3],
    ['31', 31],
    ['7', 7],
  ],
  'window-bytes': [
    ['4MiB', 4_194_304],
    ['8mib', 8_388_608],
    ['5000000', 5_000_000],
  ],
  connections: [
    ['1', 1],
    ['1000000', 1_000_000],
    ['2', 2],
  ],
  'connections-per-address': [
    ['1', 1],
    ['1000000', 1_000_000],
    ['2', 2],
  ],
  'publish-rate': [
    ['1', 1],
    ['10000000', 10_000_000],
    ['2', 2],
  ],
  'bus-publish-rate': [
    ['1', 1],
    ['10000000', 10_000_000],
    ['5000', 5_000],
  ],
  'trusted-proxies': [
    ['10.0.0.0/8, ::1', ['10.0.0.0/8', '::1']],
    ['fd00::/8', ['fd00::/8']],
    ['10.0.0.1', ['10.0.0.1']],
  ],
  'allowed-hosts': [
    ['A.example', ['a.example']],
    ['*', ['*']],
    ['a,b', ['a', 'b']],
  ],
  'cors-origins': [
    ['https://a.example', ['https://a.example']],
    ['http://a:1/', ['http://a:1']],
    ['https://a,https://b', ['https://a', 'https://b']],
  ],
  'cors-write-origins': [
    ['https://a.example', ['https://a.example']],
    ['http://a:1', ['http://a:1']],
    ['https://a', ['https://a']],
  ],
  'log-level': [
    ['debug', 'debug'],
    ['silent', 'silent'],
    ['trace', 'trace'],
  ],
  input: [
    ['a', 'a'],
    ['/b', '/b'],
    ['./c', './c'],
  ],
  output: [
    ['a', 'a'],
    ['/b', '/b'],
    ['./c', './c'],
  ],
  pace: [
    ['0', 0],
    ['2.5', 2.5],
    ['3600', 3600],
  ],
};

for (const name of optionNames) {
  test(`${name}: read from a flag, the environment and the file`, (t) => {
    for (const [text, value] of samples[name]) {
      t.deepEqual(read(t, { flags: { [name]: text } })[name], value as never);
      t.deepEqual(read(t, { environment: { [environmentName(name)]: text } })[name], value as never);
      t.deepEqual(read(t, { file: { [name]: text } })[name], value as never);
    }
  });

  test(`${name}: a flag goes before the environment, that before the file, that before the default`, (t) => {
    const [first, second, third] = samples[name];
    const [flag, environment, file] = [first?.[0] ?? '', second?.[0] ?? '', third?.[0] ?? ''];
    const all = {
      flags: { [name]: flag },
      environment: { [environmentName(name)]: environment },
      file: { [name]: file },
    };
    t.deepEqual(read(t, all)[name], first?.[1] as never);
    t.deepEqual(read(t, { environment: all.environment, file: all.file })[name], second?.[1] as never);
    t.deepEqual(read(t, { file: all.file })[name], third?.[1] as never);
    const byDefault = options[name].kind.schema.parse(options[name].default);
    t.deepEqual(read(t, {})[name], byDefault as never);
  });
}

test('numbers, booleans and lists of the file may be JSON values', (t) => {
  const configuration = read(t, {
    file: { port: 1, insecure: true, pace: 0.5, 'cors-origins': ['https://a', 'https://b'] },
  });
  t.is(configuration.port, 1);
  t.true(configuration.insecure);
  t.is(configuration.pace, 0.5);
  t.deepEqual(configuration['cors-origins'], ['https://a', 'https://b']);
});

test('the defaults are those of the documentation', (t) => {
  const configuration = read(t, {});
  t.is(configuration.port, 8080);
  t.is(configuration['window-bytes'], 64 * 2 ** 20);
  t.is(configuration['retention-age'], 7 * 86_400_000);
  t.is(configuration['retention-bytes'], 10 * 2 ** 30);
  t.is(configuration['execution-retention-age'], 30 * 86_400_000);
  t.is(configuration['idempotency-age'], 86_400_000);
  t.is(configuration.connections, 20_000);
});

/** Values that each option refuses. */
const refused: Readonly<Record<OptionName, readonly RawValue[]>> = {
  host: ['', 'a b', '127.0.0.1:80', 'http://a'],
  port: ['-1', '65536', 'x', '1.5', '', ' ', '1e3', true, 1.5, ['1']],
  'bus-host': ['', 'a_b!'],
  'bus-port': ['65536'],
  'ops-host': ['a/b'],
  'ops-port': ['x'],
  insecure: ['yes', '', 2],
  supervise: ['yes', '', 2],
  bus: ['localhost', 'localhost:0', 'localhost:65536', ':1', 'a b:1', '::1:50051'],
  url: ['localhost:8080', 'ftp://a', '/x', 'http://a/?x=1'],
  'data-dir': ['', ' ', 'a\0b', 1],
  engine: ['LMDB', 'jetstream', ''],
  'retention-age': ['7', '7 days', '59s', '3651d', '-1d', 'd', '1d1'],
  'retention-bytes': ['16777215', '17TiB', '10GG', '-1', '1.1.1MiB', ''],
  'execution-retention-age': ['1s', 'x'],
  'execution-retention-count': ['9999', '10000001'],
  'idempotency-age': ['0', '999ms'],
  'idempotency-keys': ['0', '-1', '100000001'],
  shards: ['0', '32', 'many'],
  'window-bytes': ['4194303', '5GiB', 'x'],
  connections: ['0', '1000001'],
  'connections-per-address': ['-1', '1000001'],
  'publish-rate': ['-1', '1.5', '10000001', ''],
  'bus-publish-rate': ['-1', 'fast'],
  'trusted-proxies': ['10.0.0.0/33', '::/129', 'proxy', '10.0.0.0/8/8', '10.0.0.0/'],
  'allowed-hosts': ['a:80', 'http://a', 'a b'],
  'cors-origins': ['*', 'a.example', 'https://a/path', 'ftp://a', 'null'],
  'cors-write-origins': ['*', 'https://a?x'],
  'log-level': ['verbose', 'INFO', ''],
  input: ['a\0b', 1],
  output: ['', 'a\0b'],
  pace: ['-1', '3601', 'fast', ''],
};

for (const name of optionNames) {
  test(`${name}: a bad value is refused with its name, the value and what is allowed`, (t) => {
    for (const value of refused[name]) {
      const error = t.throws(
        () => read(t, { file: { [name]: value } }),
        { instanceOf: StartError },
        JSON.stringify(value),
      );
      t.is(error.exitCode, 2);
      t.true(error.message.startsWith(`${name}: `), error.message);
      t.true(
        error.message.includes(`allowed: ${options[name].kind.allowed} (from the file rivulet.json)`),
        error.message,
      );
      t.false(error.message.includes('\n'), error.message);
    }
  });
}

test('the message says where the value came from', (t) => {
  const message = (sources: Sources): string => t.throws(() => read(t, sources), { instanceOf: StartError }).message;
  const allowed = 'allowed: a whole number from 1 to 31';
  t.is(message({ flags: { shards: '0' } }), `shards: '0' is not allowed; ${allowed} (from the flag --shards)`);
  t.is(
    message({ environment: { RIVULET_SHARDS: 'x' } }),
    `shards: 'x' is not allowed; ${allowed} (from the environment variable RIVULET_SHARDS)`,
  );
  t.is(message({ file: { shards: 99 } }), `shards: 99 is not allowed; ${allowed} (from the file rivulet.json)`);
});

// Without this a typing error would silently leave the default in force.
test('an unknown key or variable is refused by name, with the likely one', (t) => {
  const message = (sources: Sources): string => t.throws(() => read(t, sources), { instanceOf: StartError }).message;
  t.is(message({ file: { prot: 1 } }), "unknown key 'prot' in rivulet.json; did you mean port?");
  t.is(
    message({ environment: { RIVULET_PROT: '1' } }),
    'unknown environment variable RIVULET_PROT; did you mean RIVULET_PORT?',
  );
  t.is(message({ file: { zzzzzz: 1 } }), "unknown key 'zzzzzz' in rivulet.json");
});

test('a file that is not an object of options is refused', (t) => {
  const message = (file: string): string => t.throws(() => read(t, { file }), { instanceOf: StartError }).message;
  t.regex(message('{'), /^rivulet\.json is not JSON: /);
  t.is(message('[]'), 'rivulet.json must hold one JSON object of options');
  t.is(message('7'), 'rivulet.json must hold one JSON object of options');
});

test('a file that was named must exist; the default one need not', (t) => {
  const error = t.throws(() => read(t, { flags: { config: 'none.json' } }), { instanceOf: StartError });
  t.is(error.message, "config: 'none.json' cannot be read (ENOENT); it must be a JSON file");
  t.is(read(t, {}).port, 8080);
});

test('each address beyond loopback needs insecure, of the commands that listen on it', (t) => {
  for (const name of ['host', 'bus-host', 'ops-host'] as const) {
    for (const open of ['0.0.0.0', '::', '192.168.0.1', 'rivulet.example', '::ffff:10.0.0.1']) {
      const error = t.throws(() => read(t, { flags: { [name]: open } }), { instanceOf: StartError }, `${name} ${open}`);
      t.is(error.exitCode, 2);
      t.true(error.message.startsWith(`${name}: '${open}' `), error.message);
      t.is(read(t, { flags: { [name]: open, insecure: true } })[name], open);
    }
  }
  t.is(read(t, { command: 'router', flags: { 'bus-host': '0.0.0.0' } })['bus-host'], '0.0.0.0');
  t.throws(() => read(t, { command: 'bus', flags: { 'bus-host': '0.0.0.0' } }), { instanceOf: StartError });
});
