import { randomUUID } from 'node:crypto';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { systemClock } from '../../src/core/clock.ts';
import { busMethods } from '../../src/wire/grpc/grpc-proto.ts';
import { BenchError } from './bench-error.ts';
import { benchEntry, nowNs } from './bench-event.ts';

/** Requests that are sent again and again: encoded once, so that what is measured is the bus and not protobufjs in this process. */
const requestsKept = 64;

const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * Publishes encoded requests over PublishStreams and times each acknowledgement, from the moment at which the request was due. An answer that is
 * not one id an event ends the bench.
 */
export class Publisher {
  readonly #client: Client;
  readonly #requests: readonly Buffer[];
  readonly #answerBytes: number;
  readonly perRequest: number;

  constructor(address: string, perRequest: number) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.perRequest = perRequest;
    const executionId = randomUUID();
    this.#requests = Array.from({ length: requestsKept }, (_, at) =>
      busMethods.publishStream.requestSerialize({
        entries: Array.from({ length: perRequest }, (_, n) => benchEntry(executionId, at * perRequest + n, nowNs())),
      }),
    );
    // Each id is a tag, a length and 36 bytes; the sequence follows.
    this.#answerBytes = perRequest * 38;
  }

  close(): void {
    this.#client.close();
  }

  /** As fast as they are answered: `window` requests on the way on each of `streams` streams. */
  async saturate(requests: number, streams: number, window: number): Promise<void> {
    let sent = 0;
    await Promise.all(
      this.#open(streams).map(async (stream) => {
        const next = (): void => {
          if (sent === requests) {
            if (stream.waiting === 0) stream.call.end();
            return;
          }
          sent += 1;
          stream.send(this.#requests[sent % requestsKept] as Buffer, next);
        };
        for (let ahead = 0; ahead < window; ahead += 1) next();
        await stream.done;
      }),
    );
  }

  /** `perSecond` requests a second, one after another round the streams, at most one on the way on each; milliseconds of each from its due time. */
  async pace(requests: number, streams: number, perSecond: number): Promise<Float64Array> {
    const latencies = new Float64Array(requests);
    const open = this.#open(streams);
    const free = [...open];
    const startMs = systemClock.monotonicMs() + 1;
    const dueMs = (index: number): number => startMs + (index / perSecond) * 1_000;
    let sent = 0;
    let answered = 0;
    await new Promise<void>((resolve) => {
      const pump = (): void => {
        const now = systemClock.monotonicMs();
        for (; sent < requests && dueMs(sent) <= now; sent += 1) {
          const stream = free.shift();
          if (stream === undefined) return; // the next answer pumps
          const index = sent;
          stream.send(this.#requests[index % requestsKept] as Buffer, () => {
            latencies[index] = systemClock.monotonicMs() - dueMs(index);
            free.push(stream);
            answered += 1;
            if (answered === requests) resolve();
            else if (sent < requests && dueMs(sent) <= systemClock.monotonicMs()) pump();
          });
        }
      };
      const tick = (): void => {
        pump();
        if (sent < requests) systemClock.after(1, tick);
      };
      tick();
    });
    for (const stream of open) stream.call.end();
    await Promise.all(open.map(({ done }) => done));
    return latencies;
  }

  #open(streams: number): PublishLine[] {
    const { path } = busMethods.publishStream;
    return Array.from(
      { length: streams },
      () => new PublishLine(this.#client.makeBidiStreamRequest(path, asIs, asIs), this.#answerBytes),
    );
  }
}

/** One stream, whose answers come in the order of its requests. */
class PublishLine {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly done: Promise<void>;
  readonly #waiting: (() => void)[] = [];

  constructor(call: ClientDuplexStream<Buffer, Buffer>, answerBytes: number) {
    this.call = call;
    this.done = new Promise((resolve, reject) => {
      call.on('data', (answer: Buffer) => {
        if (answer.length < answerBytes) reject(new BenchError(`a publish was refused: ${answer.toString('latin1')}`));
        this.#waiting.shift()?.();
      });
      call.on('error', reject);
      call.on('end', resolve);
    });
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  send(request: Buffer, onAnswer: () => void): void {
    this.#waiting.push(onAnswer);
    this.call.write(request);
  }
}
