import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { isDeepStrictEqual } from 'node:util';

/** One case of validation_cases.json, which came with the contract and is not edited. */
export interface ConformanceCase {
  readonly id: string;
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly query: string;
    readonly headers: Readonly<Record<string, string | readonly string[]>>;
  };
  readonly expect: {
    readonly outcome: 'validation_error' | 'validation_pass' | 'http';
    readonly status: number | string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly parsed?: ParsedExpectation;
  };
}

export interface ParsedExpectation {
  readonly execution_id: readonly string[];
  readonly stage: string | null;
  readonly path: string | null;
  readonly extension: string | null;
  readonly timeout: number;
  readonly keep_open: boolean;
  /** The text of the header, not yet a cursor. */
  readonly last_event_id: string | null;
}

export interface ConformanceResult {
  readonly id: string;
  /** Null when the case holds. */
  readonly failure: string | null;
}

/** How the server under test parsed a case; left out for a server that cannot be looked into. */
export type ParsedDoor = (testCase: ConformanceCase) => ParsedExpectation;

// Compiled to build/test/conformance; the JSON stays in the sources.
const casesUrl = new URL('../../../test/conformance/validation_cases.json', import.meta.url);

export function conformanceCases(): readonly ConformanceCase[] {
  return (JSON.parse(readFileSync(casesUrl, 'utf8')) as { cases: ConformanceCase[] }).cases;
}

/** Sends every case to `baseUrl` (`http://127.0.0.1:8080`), one connection each. */
export async function runConformanceCases(baseUrl: string, parsed?: ParsedDoor): Promise<readonly ConformanceResult[]> {
  const results: ConformanceResult[] = [];
  for (const testCase of conformanceCases()) {
    results.push({ id: testCase.id, failure: await failureOf(baseUrl, testCase, parsed) });
  }
  return results;
}

/** Sends one case; null when it holds. */
export async function failureOf(
  baseUrl: string,
  testCase: ConformanceCase,
  parsed?: ParsedDoor,
): Promise<string | null> {
  return differenceOf(testCase, await send(baseUrl, testCase)) ?? parsedDifference(testCase, parsed);
}

interface Received {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

function send(baseUrl: string, { request: asked }: ConformanceCase): Promise<Received> {
  const url = new URL(baseUrl);
  const headers = Object.fromEntries(
    Object.entries(asked.headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? requestTls : request)({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      method: asked.method,
      path: asked.query === '' ? asked.path : `${asked.path}?${asked.query}`,
      headers,
      agent: false,
    });
    sent.once('error', reject);
    sent.once('response', (response) => {
      const status = response.statusCode ?? 0;
      if (status === 200) {
        // A stream, which may go on for long: the head is all that a case speaks of.
        sent.destroy();
        resolve({ status, headers: response.headers, body: '' });
        return;
      }
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => {
        resolve({ status, headers: response.headers, body });
      });
    });
    sent.end(asked.headers['Content-Length'] === undefined ? undefined : '{}');
  });
}

function differenceOf({ expect }: ConformanceCase, received: Received): string | null {
  const { status, body } = received;
  if (expect.outcome === 'validation_pass') {
    return [405, 422, 307].includes(status) ? `status ${status}: ${body}` : null;
  }
  if (status !== expect.status) return `status ${status}, not ${expect.status}: ${body}`;
  for (const [name, value] of Object.entries(expect.headers ?? {})) {
    const got = received.headers[name.toLowerCase()];
    if (got !== value) return `${name}: ${String(got)}, not ${value}`;
  }
  if (expect.outcome === 'validation_error') return bodyDifference(body, expect.body);
  return typeof expect.body === 'string' ? textDifference(body, expect.body) : detailDifference(body, expect.body);
}

function bodyDifference(body: string, expected: unknown): string | null {
  return isDeepStrictEqual(JSON.parse(body), expected) ? null : `body ${body}, not ${JSON.stringify(expected)}`;
}

function textDifference(body: string, expected: string): string | null {
  return body === expected ? null : `body '${body}', not '${expected}'`;
}

function detailDifference(body: string, expected: unknown): string | null {
  if (expected === undefined) return null;
  const wanted = (expected as { detail?: unknown }).detail;
  const got = (JSON.parse(body) as { detail?: unknown }).detail;
  return got === wanted ? null : `detail ${String(got)}, not ${String(wanted)}`;
}

function parsedDifference(testCase: ConformanceCase, parsed: ParsedDoor | undefined): string | null {
  const expected = testCase.expect.parsed;
  if (expected === undefined || parsed === undefined) return null;
  const got = parsed(testCase);
  return isDeepStrictEqual(got, expected) ? null : `parsed ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`;
}
