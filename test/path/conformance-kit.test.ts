import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { busChecks } from '../conformance/bus/bus-checks.ts';
import { BusDoor } from '../conformance/bus/door.ts';
import { HttpDoor } from '../conformance/http/door.ts';
import { httpChecks } from '../conformance/http/http-checks.ts';
import { linesOf } from '../conformance/kit/report.ts';
import { type CheckResult, runChecks } from '../conformance/kit/runner.ts';
import { freePort } from '../support/free-port.ts';
import { projectRoot } from '../support/source-files.ts';
import { startProgram, startSystem, temporaryDirectory } from '../support/system.ts';

/** The conformance kit against the real program. */

const options = { timeoutMs: 30_000, slow: true, onResult: () => undefined };

const notPassed = (results: readonly CheckResult[]): string[] =>
  results.filter(({ outcome }) => outcome !== 'pass').flatMap(linesOf);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

function kit(t: ExecutionContext, ...words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [join(projectRoot, 'build/test/conformance/run.js'), ...words]);
  t.teardown(() => child.kill('SIGKILL'));
  let [out, error] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    error += text;
  });
  return new Promise((resolve) =>
    child.once('close', (code) => {
      resolve({ code, out, error });
    }),
  );
}

test('every id stands once, and begins with its half', (t) => {
  const ids = [...httpChecks, ...busChecks].map(({ id }) => id);
  t.is(new Set(ids).size, ids.length);
  t.true(httpChecks.every(({ id }) => /^http\/[a-z]+\/[\w-]+$/.test(id)));
  t.true(busChecks.every(({ id }) => /^bus\/[a-z-]+\/[a-z\d-]+$/.test(id)));
});

// Without this the kit could ask of others what the program itself does not keep.
test.serial('`rivulet up` passes every check, none skipped', async (t) => {
  const system = await startSystem(t);
  const http = await runChecks(httpChecks, () => new HttpDoor(new URL(system.http)), options);
  const bus = await runChecks(busChecks, () => new BusDoor(system.grpc), options);
  t.deepEqual(notPassed([...http, ...bus]), []);
  t.is(http.length + bus.length, httpChecks.length + busChecks.length);
});

test.serial('`rivulet bus` and `rivulet router`, apart, pass every check that is not slow', async (t) => {
  const directory = await temporaryDirectory(t);
  const bus = await startProgram(t, ['bus', '--bus-port=0', `--data-dir=${directory}`]);
  const router = await startProgram(t, ['router', '--port=0', '--ops-port=0', `--bus=${bus.grpc}`, '--shards=2']);
  await router.untilReady('ready');
  const report = join(directory, 'report.json');
  const { code, out } = await kit(t, '--http', router.http, '--bus', bus.grpc, '--json', report);
  t.is(code, 0, out);
  const last = /\n(\d+) passed, 0 failed, 1 skipped\n$/.exec(out);
  t.is(Number(last?.[1]), httpChecks.length + busChecks.length - 1);
  t.true(out.includes('\nPASS bus/publish/atomic-batch (proto: Publish)\n'));
  t.true(out.includes('\nSKIP http/stream/heartbeat (events: Frames): slow; run it with --slow\n'));
  const { passed, results } = JSON.parse(readFileSync(report, 'utf8')) as { passed: number; results: unknown[] };
  t.deepEqual([passed, results.length], [Number(last?.[1]), httpChecks.length + busChecks.length]);
});

test('the command line: what is refused names what is allowed, with exit code 2', async (t) => {
  for (const [words, said] of [
    [[], /--http <url>, --bus <host:port> or both/],
    [['--htp', 'x'], /'--htp' is unknown: allowed are --http, --bus, /],
    [['--http', 'ftp://x'], /--http 'ftp:\/\/x': must be http:\/\/host:port/],
    [['--http', 'http://x/path'], /without a path/],
    [['--bus', 'x'], /--bus 'x': must be host:port/],
    [['--bus', 'x:1', '--timeout', '0'], /--timeout '0': must be 1 to 600 seconds/],
    [['--bus', 'x:1', '--case', 'http/none'], /no check begins so/],
    [['--http'], /--http needs a value/],
  ] as const) {
    const { code, out, error } = await kit(t, ...words);
    t.is(code, 2, words.join(' '));
    t.is(out, '');
    t.regex(error, said);
    t.is(error.trimEnd().split('\n').length, 1, error);
  }
});

test('a target that is away is one line, with exit code 1', async (t) => {
  const port = await freePort();
  const { code, out, error } = await kit(t, '--http', `http://127.0.0.1:${port}`);
  t.deepEqual([code, out], [1, '']);
  t.is(error, `conformance: --http 127.0.0.1:${port} cannot be reached: ECONNREFUSED\n`);
});

test('--list names every check, and --case narrows it', async (t) => {
  const { code, out } = await kit(t, '--list');
  t.is(code, 0);
  t.is(out.trimEnd().split('\n').length, httpChecks.length + busChecks.length);
  const narrow = await kit(t, '--list', '--case=bus/finality/');
  t.is(narrow.out.trimEnd().split('\n').length, 3);
});
