import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type KitArguments, parseArguments, UsageError, usage } from './arguments.ts';
import { busChecks } from './bus/bus-checks.ts';
import { BusDoor } from './bus/door.ts';
import { HttpDoor } from './http/door.ts';
import { httpChecks } from './http/http-checks.ts';
import type { Check, Door } from './kit/check.ts';
import { countsOf, linesOf, summaryOf } from './kit/report.ts';
import { type CheckResult, runChecks } from './kit/runner.ts';

/** `npm run conformance`: the contract against any deployment, from outside. Exit 0: all held; 1: not; 2: the command line was wrong. */

const reachMs = 5_000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Null when something takes connections there; else why not. */
function unreachable(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (reason: string | null): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(reachMs, () => {
      settle(`no connection within ${reachMs} ms`);
    });
    socket.once('connect', () => {
      settle(null);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      settle(error.code ?? error.message);
    });
  });
}

function placeOf(target: URL): [string, number] {
  const port = target.port === '' ? (target.protocol === 'https:' ? 443 : 80) : Number(target.port);
  return [target.hostname.replace(/^\[|\]$/g, ''), port];
}

/** Why the first target that cannot be reached cannot; null when all can. */
async function firstUnreachable({ http, bus }: KitArguments): Promise<string | null> {
  const targets = [
    ['--http', http],
    ['--bus', bus === null ? null : new URL(`http://${bus}`)],
  ] as const;
  for (const [flag, target] of targets) {
    const reason = target === null ? null : await unreachable(...placeOf(target));
    if (reason !== null) return `${flag} ${target?.host ?? ''} cannot be reached: ${reason}`;
  }
  return null;
}

interface Wanted {
  readonly http: readonly Check<HttpDoor>[];
  readonly bus: readonly Check<BusDoor>[];
}

/** The checks asked for; without a target, as `--list` may be, those of both halves. */
function wantedOf({ http, bus, cases }: KitArguments): Wanted {
  const both = http === null && bus === null;
  const chosen = <D extends Door>(half: boolean, checks: readonly Check<D>[]): readonly Check<D>[] =>
    checks.filter(({ id }) => (half || both) && (cases.length === 0 || cases.some((prefix) => id.startsWith(prefix))));
  const wanted = { http: chosen(http !== null, httpChecks), bus: chosen(bus !== null, busChecks) };
  if (wanted.http.length + wanted.bus.length === 0) {
    throw new UsageError(`--case '${cases.join(' ')}': no check begins so; --list shows them`);
  }
  return wanted;
}

async function runAll(asked: KitArguments, wanted: Wanted): Promise<readonly CheckResult[]> {
  const { http, bus, timeoutMs, slow } = asked;
  const onResult = (result: CheckResult): void => {
    for (const line of linesOf(result)) say(line);
  };
  const options = { timeoutMs, slow, onResult };
  const results: CheckResult[] = [];
  if (http !== null) results.push(...(await runChecks(wanted.http, () => new HttpDoor(http), options)));
  if (bus !== null) results.push(...(await runChecks(wanted.bus, () => new BusDoor(bus), options)));
  return results;
}

async function run(words: readonly string[]): Promise<number> {
  const asked = parseArguments(words);
  if (asked === null) {
    process.stdout.write(usage);
    return 0;
  }
  const wanted = wantedOf(asked);
  if (asked.list) {
    for (const { id, section } of [...wanted.http, ...wanted.bus]) say(`${id} (${section})`);
    return 0;
  }
  const away = await firstUnreachable(asked);
  if (away !== null) {
    process.stderr.write(`conformance: ${away}\n`);
    return 1;
  }
  const results = await runAll(asked, wanted);
  const counts = countsOf(results);
  if (asked.json !== null) writeFileSync(asked.json, `${JSON.stringify({ ...counts, results }, null, 2)}\n`);
  say(`\n${summaryOf(counts)}`);
  return counts.failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`conformance: ${error.message}\n`);
  process.exitCode = 2;
}
