import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export interface FakeRouter {
  readonly url: string;
  readonly received: readonly ReceivedRequest[];
  /** Answers the next requests in place of the usual 202 and 200; null goes back to them. */
  answerWith(answer: ((request: ReceivedRequest) => { status: number; body: unknown } | null) | null): void;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

/** The publishing half of the HTTP API on a real socket: it acknowledges everything and remembers it. */
export async function startFakeRouter(t: ExecutionContext): Promise<FakeRouter> {
  const received: ReceivedRequest[] = [];
  let count = 0;
  let override: ((request: ReceivedRequest) => { status: number; body: unknown } | null) | null = null;
  const usual = ({ path, body }: ReceivedRequest): { status: number; body: unknown } => {
    const next = (): string => `id-${(count += 1)}`;
    if (path !== '/api/v1/storage/events') return { status: 200, body: { last_event_id: next() } };
    const { events } = body as { readonly events: readonly unknown[] };
    return { status: 202, body: { accepted: events.length, ids: events.map(next) } };
  };
  const server = createServer((request, response) => {
    void (async () => {
      const seen = { method: request.method ?? '', path: request.url ?? '', body: await bodyOf(request) };
      received.push(seen);
      const { status, body } = override?.(seen) ?? usual(seen);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answerWith(answer) {
      override = answer;
    },
  };
}
