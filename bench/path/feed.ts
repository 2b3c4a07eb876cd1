import { systemClock } from '../../src/core/clock.ts';
import type { BusClient } from '../../src/wire/bus/bus-client.ts';
import type { PublishPipe } from '../../src/wire/bus/publish-pipe.ts';
import { benchEntry, nowNs } from './bench-event.ts';

/** What an execution is fed, over one gRPC PublishStream. */
export interface Feed {
  readonly client: BusClient;
  readonly executionId: string;
  readonly events: number;
}

/** Events on their way out of a publisher, wherever they go: what both paces need. */
export interface Source {
  readonly events: number;
  /** Publishes the events `first`, `first + 1`, … in order, one for each stamp; resolves at the server's answer. */
  publish(first: number, due: readonly bigint[]): Promise<unknown>;
  /** Nothing more comes. */
  end(): void;
}

/** Into the bus: the answer says that the events are durable. */
export function executionSource({ client, executionId, events }: Feed): Source {
  const pipe = client.publishPipe();
  return {
    events,
    publish: (first, due) => publish(pipe, executionId, first, due),
    end: () => {
      pipe.end();
    },
  };
}

/** As fast as it is taken: at most `ahead` batches are published and not yet received by all streams. */
export interface SaturatedPace {
  readonly perBatch: number;
  readonly ahead: number;
}

/**
 * Publishes in batches, each as soon as `ahead` allows; `onReceived` tells it what has been received. Every event is stamped just before its publish call.
 * Rejects when the server refuses one.
 */
export function feedSaturated(source: Source, { perBatch, ahead }: SaturatedPace) {
  const { events } = source;
  let published = 0;
  let received = 0;
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const pump = (): void => {
    while (published < events && published - received < perBatch * ahead) {
      const count = Math.min(perBatch, events - published);
      source.publish(published, Array.from({ length: count }, nowNs)).catch(fail);
      published += count;
    }
    if (published === events) source.end();
  };
  return {
    start: pump,
    failed,
    onReceived: (count: number): void => {
      received = count;
      if (published < events) pump();
    },
  };
}

/**
 * Publishes `perSecond` events a second for as long as `events` last, each stamped with the time at which it was due, not with when the timer came
 * round: so a pause of anybody, the publisher included, is in the latency of every event it held up (coordinated omission corrected).
 */
export async function feedPaced(source: Source, perSecond: number): Promise<void> {
  const { events } = source;
  const periodNs = BigInt(Math.round(1e9 / perSecond));
  const startNs = nowNs() + periodNs;
  const answers: Promise<unknown>[] = [];
  let published = 0;
  const dueNs = (index: number): bigint => startNs + BigInt(index) * periodNs;
  while (published < events) {
    const waitNs = dueNs(published) - nowNs();
    if (waitNs > 0n) {
      await new Promise<void>((resolve) => {
        systemClock.after(Number(waitNs) / 1e6, resolve);
      });
    }
    // One call an event, also of those that are late: every server gets the same calls.
    while (published < events && dueNs(published) <= nowNs()) {
      answers.push(source.publish(published, [dueNs(published)]));
      published += 1;
    }
  }
  source.end();
  await Promise.all(answers);
}

function publish(pipe: PublishPipe, executionId: string, first: number, due: readonly bigint[]): Promise<unknown> {
  return pipe.publish({ entries: due.map((at, index) => benchEntry(executionId, first + index, at)) });
}

/** Many events at once, `inFlight` batches of `perBatch` on the way; resolves when all are durable. */
export async function feedBulk(
  { client, executionId, events }: Feed,
  perBatch: number,
  inFlight: number,
): Promise<void> {
  const pipe = client.publishPipe();
  const waiting: Promise<unknown>[] = [];
  for (let first = 0; first < events; first += perBatch) {
    const count = Math.min(perBatch, events - first);
    waiting.push(publish(pipe, executionId, first, Array.from({ length: count }, nowNs)));
    if (waiting.length >= inFlight) await waiting.shift();
  }
  pipe.end();
  await Promise.all(waiting);
}
