import { randomUUID } from 'node:crypto';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { CheckFailure, type Door, equal, holds, matches, present } from '../kit/check.ts';
import { EventStream } from './event-stream.ts';

export type Json = Readonly<Record<string, unknown>>;
export type Query = Readonly<Record<string, string | readonly string[]>>;
export type Headers = Readonly<Record<string, string>>;

export const eventsPath = '/api/v1/storage/events';
export const executionsPath = '/api/v1/executions';
export const storageEvent = 'storage.object.created';
export const nilId = '00000000-0000-0000-0000-000000000000';

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly query?: Query;
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The body as a JSON object. */
export function jsonOf({ status, text }: Answer): Json {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Json;
  } catch {
    // Said below.
  }
  throw new CheckFailure(`the body of the ${status} is a JSON object`, { expected: 'JSON', got: text });
}

export function eventAt(execution: string, path: string, more: Json = {}): Json {
  return { execution_id: execution, stage: 'ingest', path, ...more };
}

/** Only such a target has to take `Host: localhost` and to refuse a foreign one: others may have authentication or a proxy. */
export const isLoopback = ({ hostname }: URL): boolean => /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname);

export const newExecution = (): string => randomUUID();
export const newTag = (): string => `conformance-${randomUUID().slice(0, 18)}`;

/** One check's way to the server: requests on connections of their own, under names of its own. */
export class HttpDoor implements Door {
  readonly base: URL;
  #waiting: (() => string) | null = null;
  readonly #requests = new Set<ClientRequest>();
  #closed = false;

  constructor(base: URL) {
    this.base = base;
  }

  get waiting(): string | null {
    return this.#waiting?.() ?? null;
  }

  close(): void {
    this.#closed = true;
    for (const sent of this.#requests) sent.destroy();
  }

  async ask(asked: Ask): Promise<Answer> {
    this.#waiting = () => `an answer to ${asked.method ?? 'GET'} ${asked.path}`;
    const { response } = await this.#send(asked);
    let text = '';
    response.setEncoding('utf8');
    for await (const chunk of response) text += String(chunk);
    this.#waiting = null;
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  }

  /** Opens a stream; answers with the head, whatever its status. */
  async open(query: Query, headers: Headers = {}, path: string = eventsPath): Promise<EventStream> {
    this.#waiting = () => 'the head of the stream';
    const { sent, response } = await this.#send({ path, query, headers });
    this.#waiting = null;
    return new EventStream(sent, response, (what) => {
      this.#waiting = what;
    });
  }

  /** A stream that must be one: 200, and `ready` seen. */
  async watch(query: Query, headers: Headers = {}): Promise<EventStream> {
    const stream = await this.open(query, headers);
    equal(stream.status, 200, 'the stream opens');
    await stream.first('ready');
    return stream;
  }

  put(execution: string, body: Json): Promise<Answer> {
    return this.#write('PUT', `${executionsPath}/${execution}`, body);
  }

  /** PUT that has to succeed; answers the execution. */
  async change(execution: string, body: Json): Promise<Json> {
    const answer = await this.put(execution, body);
    equal(answer.status, 200, `PUT ${JSON.stringify(body)}`);
    return jsonOf(answer);
  }

  async execution(execution: string): Promise<Json> {
    const answer = await this.ask({ path: `${executionsPath}/${execution}` });
    equal(answer.status, 200, 'GET of the execution');
    return jsonOf(answer);
  }

  /** A new execution that runs. */
  async running(...tags: readonly string[]): Promise<string> {
    const execution = newExecution();
    await this.change(execution, { status: 'running', ...(tags.length === 0 ? {} : { tags }) });
    return execution;
  }

  post(body: unknown, headers: Headers = {}): Promise<Answer> {
    return this.#write('POST', eventsPath, body, headers);
  }

  /** POST that has to succeed; answers the ids. */
  async publish(...events: readonly Json[]): Promise<readonly string[]> {
    const answer = await this.post({ events });
    equal(answer.status, 202, 'POST of events');
    const { ids } = jsonOf(answer);
    holds(Array.isArray(ids) && ids.length === events.length, 'an id for each event', ids);
    return ids.map(String);
  }

  /** POST that has to be 422; answers `loc` of each fault. */
  async refused(body: unknown): Promise<readonly unknown[]> {
    const answer = await this.post(body);
    equal(answer.status, 422, `POST ${JSON.stringify(body).slice(0, 200)} is refused`);
    return faultsOf(answer).map(({ loc }) => loc);
  }

  #write(method: string, path: string, body: unknown, headers: Headers = {}): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.ask({ method, path, headers: { 'content-type': 'application/json', ...headers }, body: text });
  }

  #send({ method = 'GET', path, query = {}, headers = {}, body }: Ask): Promise<{
    sent: ClientRequest;
    response: IncomingMessage;
  }> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      for (const one of typeof value === 'string' ? [value] : value) search.append(name, one);
    }
    const { protocol, hostname, port } = this.base;
    const target = search.size === 0 ? path : `${path}?${search.toString()}`;
    const host = hostname.replace(/^\[|\]$/g, '');
    const options = { host, port, method, path: target, headers, agent: false };
    return new Promise((resolve, reject) => {
      const sent = protocol === 'https:' ? requestTls(options) : request(options);
      this.#requests.add(sent);
      sent.on('error', (error) => {
        // A check that has failed may have left requests under way, for which nobody waits any more.
        if (!this.#closed) reject(error);
      });
      sent.once('close', () => this.#requests.delete(sent));
      sent.once('response', (response) => {
        resolve({ sent, response });
      });
      sent.end(body);
    });
  }
}

/** `detail` of a 422. */
export function faultsOf(answer: Answer): readonly Json[] {
  const { detail } = jsonOf(answer);
  holds(Array.isArray(detail) && detail.length > 0, 'detail is a list of faults', detail);
  for (const fault of detail as Json[]) {
    holds(Array.isArray(fault['loc']), 'each fault has its loc', fault);
    matches(fault['msg'], /./, 'each fault has its msg');
  }
  return detail as Json[];
}

/** It comes back under the names that it may be sent under; one of them is enough. */
export function correlationOf({ headers }: Pick<Answer, 'headers'>): unknown {
  return headers['x-request-id'] ?? headers['x-correlation-id'];
}

/** Every error but 422: detail, error_code, correlation_id, timestamp. */
export function errorResponse(answer: Answer, status: number): Json {
  equal(answer.status, status, `the status of ${answer.text.slice(0, 200)}`);
  const body = jsonOf(answer);
  equal(Object.keys(body).sort(), ['correlation_id', 'detail', 'error_code', 'timestamp'], 'the keys of ErrorResponse');
  matches(body['detail'], /./, 'detail');
  matches(body['error_code'], /^[A-Z_]+$/, 'error_code');
  equal(body['correlation_id'], correlationOf(answer), 'correlation_id is the one of the header');
  matches(body['timestamp'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/, 'timestamp is RFC 3339');
  return body;
}

export const last = <T>(list: readonly T[]): T => present(list.at(-1), 'at least one');
