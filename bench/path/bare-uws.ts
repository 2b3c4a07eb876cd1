import * as uWS from 'uWebSockets.js';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/core/clock.ts';
import { benchFrame, nowNs, stamp, stampFromEnd } from './bench-event.ts';

/**
 * The peer: uWebSockets.js alone in a process, with nothing to do but cork finished frames out of memory to every open stream.
 * No journal, no gRPC, no threads, no filters, no cursors. What it reaches is what the library and the kernel allow in JavaScript.
 *
 *   saturated <events> <events a write>    as fast as the sockets take it; a fraction is met on average (2.5: two, three, two, …)
 *   paced <events> <events a second>
 *
 * A stream that reports backpressure waits for its `onWritable` and goes on from where it was, as in Rivulet.
 */
interface Stream {
  readonly response: uWS.HttpResponse;
  /** Events handed to it. */
  next: number;
  blocked: boolean;
}

const streams = new Set<Stream>();
const executionId = '0190b6a2-7c1e-4f00-9a3b-000000000001';

function addStream(response: uWS.HttpResponse): void {
  const stream: Stream = { response, next: 0, blocked: false };
  response.onAborted(() => {
    streams.delete(stream);
  });
  response.onWritable(() => {
    stream.blocked = false;
    return true;
  });
  response.cork(() => {
    response.writeHeader('Content-Type', 'text/event-stream; charset=utf-8');
    response.write('event: ready\ndata: {"type":"ready"}\n\n');
  });
  streams.add(stream);
}

interface Frames {
  readonly bytes: Buffer;
  readonly frameBytes: number;
}

function makeFrames(events: number): Frames {
  const bytes = Buffer.from(
    Array.from({ length: events }, (_, index) => benchFrame(executionId, index, 0n)).join(''),
    'latin1',
  );
  return { bytes, frameBytes: bytes.length / events };
}

function write(stream: Stream, { bytes, frameBytes }: Frames, until: number): void {
  const slice = bytes.subarray(stream.next * frameBytes, until * frameBytes);
  stream.response.cork(() => {
    stream.blocked = !stream.response.write(slice);
  });
  stream.next = until;
}

function saturated(events: number, perWrite: number): void {
  const frames = makeFrames(events);
  for (const stream of streams) stream.next = 0;
  let round = 0;
  const turn = (): void => {
    round += 1;
    let left = 0;
    // A stream that was blocked catches up in writes of the usual size.
    for (const stream of streams) {
      if (stream.next === events) continue;
      left += 1;
      if (stream.blocked) continue;
      const step = Math.max(1, Math.floor(round * perWrite) - Math.floor((round - 1) * perWrite));
      write(stream, frames, Math.min(events, stream.next + step));
    }
    if (left > 0) systemClock.soon(turn);
  };
  turn();
}

function paced(events: number, perSecond: number): void {
  const frames = makeFrames(events);
  for (const stream of streams) stream.next = 0;
  const periodNs = BigInt(Math.round(1e9 / perSecond));
  const startNs = nowNs() + periodNs;
  let next = 0;
  const turn = (): void => {
    while (next < events && startNs + BigInt(next) * periodNs <= nowNs()) {
      const at = (next + 1) * frames.frameBytes - stampFromEnd;
      frames.bytes.write(stamp(next, startNs + BigInt(next) * periodNs), at, 'latin1');
      next += 1;
      for (const stream of streams) if (!stream.blocked) write(stream, frames, next);
    }
    if (next < events) {
      const waitMs = Number(startNs + BigInt(next) * periodNs - nowNs()) / 1e6;
      systemClock.after(Math.max(0, waitMs), turn);
    }
  };
  turn();
}

const app = uWS.App().get('/*', addStream);
app.listen('127.0.0.1', 0, (token) => {
  const port = token === false ? 0 : uWS.us_socket_local_port(token);
  process.stdout.write(`rivulet ready port=${port}\n`);
});

createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, events, pace] = line.split(' ');
  if (word === 'saturated') saturated(Number(events), Number(pace));
  if (word === 'paced') paced(Number(events), Number(pace));
});
process.once('SIGTERM', () => {
  app.close();
  process.exit(0);
});
