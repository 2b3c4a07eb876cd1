import { Client } from 'undici';
import { BenchError } from '../bench-error.ts';
import type { Source } from '../feed.ts';

/** Where an event goes, and as what. */
export interface PublishCall {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Calls that may be on the way at a time: 1 for a server that answers one before it reads the next. */
  readonly inFlightMax: number;
  readonly body: (index: number, dueNs: bigint) => string;
}

/**
 * Publishes over HTTP, one event a call, all over one connection so that none overtakes another: pipelined, so that a call does not wait for the answer to the
 * one before, as Rivulet's do not on their gRPC stream.
 */
export function httpSource({ port, path, headers, inFlightMax, body }: PublishCall, events: number): Source {
  const client = new Client(`http://127.0.0.1:${port}`, { pipelining: inFlightMax });
  const publish = async (index: number, dueNs: bigint): Promise<void> => {
    // Idempotent is what undici asks for before it pipelines; a call that fails makes the run void, so none is sent twice.
    const options = {
      method: 'POST',
      path,
      headers: headers ?? {},
      body: body(index, dueNs),
      idempotent: true,
    } as const;
    const answer = await client.request(options);
    await answer.body.dump();
    if (answer.statusCode < 200 || answer.statusCode > 299)
      throw new BenchError(`publishing to port ${port} was answered ${answer.statusCode}`);
  };
  return {
    events,
    publish: (first, due) => Promise.all(due.map((dueNs, offset) => publish(first + offset, dueNs))),
    end: () => {
      // Once all calls are answered; what fails before has been told by its call.
      client.close().catch(() => undefined);
    },
  };
}
