import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { parseArguments, UsageError, usage } from './arguments.ts';
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

async function run(words: readonly string[]): Promise<number> {
  const asked = parseArguments(words);
  if (asked === null) {
    process.stdout.write(usage);
    return 0;
  }
  const { http, bus, cases, timeoutMs, slow } = asked;
  const wanted = <D extends Door>(checks: readonly Check<D>[]): readonly Check<D>[] =>
    checks.filter(({ id }) => cases.length === 0 || cases.some((prefix) => id.startsWith(prefix)));
  const both = http === null && bus === null;
  const httpWanted = http !== null || both ? wanted(httpChecks) : [];
  const busWanted = bus !== null || both ? wanted(busChecks) : [];
  if (httpWanted.length + busWanted.length === 0) {
    throw new UsageError(`--case '${cases.join(' ')}': no check begins so; --list shows them`);
  }
  if (asked.list) {
    for (const { id, section } of [...httpWanted, ...busWanted]) say(`${id} (${section})`);
    return 0;
  }
  for (const [flag, target] of [
    ['--http', http],
    ['--bus', bus === null ? null : new URL(`http://${bus}`)],
  ] as const) {
    const reason = target === null ? null : await unreachable(...placeOf(target));
    if (reason === null) continue;
    process.stderr.write(`conformance: ${flag} ${target?.host ?? ''} cannot be reached: ${reason}\n`);
    return 1;
  }
  const onResult = (result: CheckResult): void => {
    for (const line of linesOf(result)) say(line);
  };
  const options = { timeoutMs, slow, onResult };
  const results: CheckResult[] = [];
  if (http !== null) results.push(...(await runChecks(httpWanted, () => new HttpDoor(http), options)));
  if (bus !== null) results.push(...(await runChecks(busWanted, () => new BusDoor(bus), options)));
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
