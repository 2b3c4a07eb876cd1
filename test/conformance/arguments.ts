/** What the kit was asked to do. */
export interface KitArguments {
  readonly http: URL | null;
  /** host:port */
  readonly bus: string | null;
  /** Beginnings of check ids; empty: all. */
  readonly cases: readonly string[];
  readonly list: boolean;
  readonly slow: boolean;
  /** Where the results go as JSON. */
  readonly json: string | null;
  readonly timeoutMs: number;
}

/** The command line was wrong; the text names what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `Runs the contract against a deployment: npm run conformance -- --http <url> --bus <host:port>

  --http <url>        the router, as http://127.0.0.1:8080; without it the HTTP half is left out
  --bus <host:port>   the bus, as 127.0.0.1:50051; without it the gRPC half is left out
  --case <prefix>     only checks whose id begins so; repeatable
  --slow              the checks that take longer than 10 s too
  --timeout <seconds> of one check, 1 to 600 (30)
  --json <file>       the results as JSON, too
  --list              the checks and where the contract makes their promise, without running them
`;

const flags = '--http, --bus, --case, --slow, --timeout, --json, --list, --help';

/** Of one check. A heartbeat takes 15 s. */
const timeoutSeconds = { least: 1, most: 600, usual: 30 } as const;

const takesValue: ReadonlySet<string> = new Set(['--http', '--bus', '--case', '--timeout', '--json']);
const plain: ReadonlySet<string> = new Set(['--list', '--slow', '--help']);

/** Flags with the values given to each. Throws UsageError. */
function flagsOf(words: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  const left = words.flatMap((word) => {
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    return equals === -1 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
  });
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (plain.has(word)) {
      values.set(word, []);
      continue;
    }
    if (!takesValue.has(word)) throw new UsageError(`'${word}' is unknown: allowed are ${flags}`);
    const value = left.shift() ?? '';
    if (value === '' || value.startsWith('--')) throw new UsageError(`${word} needs a value`);
    values.set(word, [...(values.get(word) ?? []), value]);
  }
  return values;
}

/** Null: help was asked for. Throws UsageError. */
export function parseArguments(words: readonly string[]): KitArguments | null {
  const values = flagsOf(words);
  if (values.has('--help')) return null;
  const one = (flag: string): string | null => values.get(flag)?.at(-1) ?? null;
  const [http, bus] = [one('--http'), one('--bus')];
  if (http === null && bus === null && !values.has('--list'))
    throw new UsageError('--http <url>, --bus <host:port> or both');
  return {
    http: http === null ? null : parseHttp(http),
    bus: bus === null ? null : parseBus(bus),
    cases: values.get('--case') ?? [],
    list: values.has('--list'),
    slow: values.has('--slow'),
    json: one('--json'),
    timeoutMs: parseTimeout(one('--timeout')),
  };
}

function parseHttp(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    throw new UsageError(`--http '${text}': must be http://host:port or https://host:port, without a path`);
  }
  return url;
}

function parseBus(text: string): string {
  const port = Number(/^[^\s/]+:(\d{1,5})$/.exec(text)?.[1] ?? 0);
  if (port < 1 || port > 65_535) throw new UsageError(`--bus '${text}': must be host:port, the port 1 to 65535`);
  return text;
}

function parseTimeout(text: string | null): number {
  const { least, most, usual } = timeoutSeconds;
  const seconds = text === null ? usual : Number(text);
  if (!(seconds >= least && seconds <= most)) {
    throw new UsageError(`--timeout '${text ?? ''}': must be ${least} to ${most} seconds`);
  }
  return seconds * 1000;
}
