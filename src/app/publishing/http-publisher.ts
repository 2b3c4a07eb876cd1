import { BusError, type BusFailure, type Fault } from '../../core/failure.ts';
import { batchBytesMax, batchEventsMax, clientDeadlineMs } from '../../core/limits.ts';
import type { EventPublisher, ExecutionChangeInput, PublishEntry } from '../../storage/publisher.ts';

/** A run of consecutive entries that one request carries, and the index of its first. */
interface Run {
  readonly first: number;
  readonly entries: readonly PublishEntry[];
}

/** Events that stand together go in one request; each change is one of its own. Order is kept. */
function runsOf(entries: readonly PublishEntry[]): Run[] {
  const runs: Run[] = [];
  let run: PublishEntry[] = [];
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    const size = Buffer.byteLength(JSON.stringify(entry)) + 1;
    const joins =
      entry.kind === 'event' && run[0]?.kind === 'event' && run.length < batchEventsMax && bytes + size < batchBytesMax;
    if (joins) {
      run.push(entry);
      bytes += size;
    } else {
      run = [entry];
      bytes = size;
      runs.push({ first: index, entries: run });
    }
  }
  return runs;
}

const failureOfStatus: Readonly<Record<number, BusFailure>> = {
  409: 'conflict',
  413: 'exhausted',
  422: 'invalid',
  429: 'throttled',
  502: 'unavailable',
  503: 'unavailable',
  504: 'deadline',
  507: 'exhausted',
};

interface ErrorBody {
  readonly detail?: string | readonly { readonly loc?: readonly (string | number)[]; readonly msg?: string }[];
}

/** `["body","events",3,"stage"]` and `["body","stage"]` to `["entries",i,"stage"]`. */
function faultsOf(body: ErrorBody, first: number): Fault[] {
  if (typeof body.detail === 'string' || body.detail === undefined) return [];
  return body.detail.map(({ loc = [], msg = 'is not allowed' }) => {
    const within = loc[0] === 'body' ? loc.slice(1) : loc;
    const [head, index, ...rest] = within;
    const field =
      head === 'events' && typeof index === 'number'
        ? ['entries', first + index, ...rest]
        : ['entries', first, ...within];
    return { field, reason: msg };
  });
}

async function failureOf(response: Response, run: Run): Promise<BusError> {
  const text = await response.text();
  let body: ErrorBody = {};
  try {
    body = JSON.parse(text) as ErrorBody;
  } catch {
    body = { detail: text.slice(0, 200) };
  }
  const faults = faultsOf(body, run.first);
  const code = failureOfStatus[response.status] ?? (response.status >= 500 ? 'internal' : 'invalid');
  const detail = typeof body.detail === 'string' ? body.detail : (faults[0]?.reason ?? response.statusText);
  const retryAfter = response.headers.get('retry-after');
  const retryAfterMs = retryAfter === null || !/^\d{1,6}$/.test(retryAfter) ? null : Number(retryAfter) * 1_000;
  return new BusError(code, `${response.status}: ${detail}`, faults, { retryAfterMs });
}

/** `fetch failed` says nothing; what is below it does. */
function causeText(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  // Several addresses were tried: the reasons stand apart, and the message is empty.
  return cause.message === '' && 'code' in cause ? String(cause.code) : cause.message;
}

/** Publishes through the HTTP API of a router. */
export class HttpPublisher implements EventPublisher {
  readonly #base: string;

  /** @param base scheme, host and port, no trailing slash */
  constructor(base: string) {
    this.#base = base;
  }

  async publish(
    entries: readonly PublishEntry[],
    onDurable?: (ids: readonly string[]) => void,
  ): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const run of runsOf(entries)) {
      const durable = await this.#send(run);
      onDurable?.(durable);
      ids.push(...durable);
    }
    return ids;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #send(run: Run): Promise<readonly string[]> {
    const [entry] = run.entries;
    if (entry?.kind === 'change') return [await this.#change(entry.change, run)];
    const events = run.entries.flatMap((item) => (item.kind === 'event' ? [item.event] : []));
    const answer = await this.#call('POST', '/api/v1/storage/events', { events }, run);
    return (answer as { readonly ids: readonly string[] }).ids;
  }

  async #change(change: ExecutionChangeInput, run: Run): Promise<string> {
    const { execution_id: executionId, ...body } = change;
    const path = `/api/v1/executions/${encodeURIComponent(executionId)}`;
    const answer = await this.#call('PUT', path, body, run);
    return (answer as { readonly last_event_id: string }).last_event_id;
  }

  async #call(method: 'POST' | 'PUT', path: string, body: unknown, run: Run): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(this.#base + path, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(clientDeadlineMs),
      });
    } catch (cause) {
      throw new BusError('unavailable', causeText(cause), [], { cause });
    }
    if (!response.ok) throw await failureOf(response, run);
    return response.json();
  }
}
