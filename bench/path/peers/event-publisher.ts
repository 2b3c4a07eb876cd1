import { Agent, request } from 'node:http';
import { BenchError } from '../bench-error.ts';
import type { Source } from '../feed.ts';

/** Where an event goes, and as what. */
export interface PublishCall {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  body(index: number, dueNs: bigint): string;
}

/**
 * Publishes over HTTP, one event a call, the next when the one before is answered: over one connection, so that nothing overtakes. None of the peers
 * takes several events in a call in a way that the others could match; a call takes a small part of what a thousand sends take.
 */
export function httpSource(call: PublishCall, events: number): Source {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    events,
    publish: (first, due) =>
      Promise.all(due.map((dueNs, offset) => post(agent, call, call.body(first + offset, dueNs)))),
    // An agent that is destroyed would cut off what it still has to send: idle sockets end with the server.
    end: () => undefined,
  };
}

function post(agent: Agent, { port, path, headers }: PublishCall, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { agent, port, path, headers, method: 'POST', host: '127.0.0.1' };
    const call = request(options, (answer) => {
      const status = answer.statusCode ?? 0;
      answer.resume().once('end', () => {
        if (status >= 200 && status < 300) resolve();
        else reject(new BenchError(`publishing to port ${port} was answered ${status}`));
      });
      answer.once('error', reject);
    });
    call.once('error', reject);
    call.end(body);
  });
}
