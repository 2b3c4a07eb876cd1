import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Owner } from './system.ts';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** One way to be wrong: what a request or an answer is changed into. */
export interface HttpFault {
  readonly ask?: (asked: Asked) => Asked;
  readonly head?: (head: Head, asked: Asked) => Head;
  readonly text?: (text: string, asked: Asked) => string;
}

const without = (headers: NodeJS.Dict<string | string[]>, ...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !names.includes(name))
      .map(([name, value]) => [name, String(value)]),
  );

/** A server that is right in all but one thing: it asks a right one and spoils the request or the answer. Answers its URL. */
export async function startWrongHttp(t: Owner, rightUrl: string, fault: HttpFault): Promise<string> {
  const { hostname, port } = new URL(rightUrl);
  const server = createServer((incoming, outgoing) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    incoming.on('end', () => {
      const headers = Object.fromEntries(
        Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      );
      const plain = { method: incoming.method ?? 'GET', path: incoming.url ?? '/', headers, body };
      const asked = fault.ask?.(plain) ?? plain;
      const passed = without(asked.headers, 'content-length', 'transfer-encoding');
      const bytes = Buffer.from(asked.body);
      const length = bytes.length === 0 ? {} : { 'content-length': String(bytes.length) };
      const options = { hostname, port, method: asked.method, path: asked.path, agent: false };
      const sent = request({ ...options, headers: { ...passed, ...length } }, (response) => {
        const right = { status: response.statusCode ?? 0, headers: without(response.headers, 'content-length') };
        const head = fault.head?.(right, asked) ?? right;
        outgoing.writeHead(head.status, { ...head.headers });
        outgoing.flushHeaders();
        response.setEncoding('utf8').on('data', (chunk: string) => {
          outgoing.write(fault.text?.(chunk, asked) ?? chunk);
        });
        response.on('close', () => outgoing.end());
      });
      sent.on('error', () => outgoing.destroy());
      outgoing.on('close', () => sent.destroy());
      sent.end(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
