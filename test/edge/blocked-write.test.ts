import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { StreamSocket } from '../../src/contract/stream.ts';
import { startEdge } from '../support/edge-server.ts';
import { eventually } from '../support/http-client.ts';

const path = '/api/v1/storage/events?execution_id=a';
const get = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** The body of a chunked answer; a fault in its framing is where it ends. */
function unchunked(text: string): { body: string; fault: string | null } {
  let at = text.indexOf('\r\n\r\n') + 4;
  let body = '';
  for (;;) {
    const line = text.indexOf('\r\n', at);
    if (line < 0) return { body, fault: null };
    const size = text.slice(at, line);
    if (!/^[0-9a-f]+$/i.test(size)) return { body, fault: `no size of a chunk: ${JSON.stringify(size.slice(0, 40))}` };
    const start = line + 2;
    const end = start + Number.parseInt(size, 16);
    if (end === start) return { body, fault: null };
    body += text.slice(start, end);
    if (end + 2 > text.length) return { body, fault: null };
    if (text.slice(end, end + 2) !== '\r\n') return { body, fault: `bytes where a chunk ends, after ${body.length}` };
    at = end + 2;
  }
}

async function fillAndRead(
  t: ExecutionContext,
  port: number,
  opened: Promise<StreamSocket>,
  length: number,
): Promise<void> {
  const client = connect({ port, host: '127.0.0.1' });
  t.teardown(() => client.destroy());
  let text = '';
  client.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  client.write(get);
  const socket = await opened;
  await eventually(() => text.includes('begin'));
  client.pause();
  let expected = 'begin;';
  const write = (): string => {
    const piece = `${`${expected.length}:`.padEnd(length - 1, 'x')};`;
    const outcome = socket.write(Buffer.from(piece));
    expected += piece;
    return outcome;
  };
  // As a shard does: it writes until a write stands behind, asks after it, and goes on when it has left.
  for (let round = 0; round < 3; round += 1) {
    while (write() === 'flushed');
    client.resume();
    await sleep(5);
    client.pause();
    while (socket.nudge() !== 'flushed') {
      client.resume();
      await sleep(5);
      client.pause();
    }
  }
  client.resume();
  await eventually(() => {
    const { body, fault } = unchunked(text);
    return fault !== null || body.replaceAll(/:\n/g, '').length >= expected.length;
  });
  const { body, fault } = unchunked(text);
  t.is(fault, null, `writes of ${length} bytes`);
  t.true(body.replaceAll(/:\n/g, '') === expected, `writes of ${length} bytes arrive whole and in order`);
  client.destroy();
}

// The kernel may be full to the byte although the write before it said flushed. uWebSockets.js then kept the size of a chunk above its cork of 16 KiB, and dropped the chunk.
test('a write that finds the kernel full is kept whole, whatever its size', async (t) => {
  const { port, door } = await startEdge(t);
  for (let index = 0; index < 24; index += 1) {
    const opened = new Promise<StreamSocket>((resolve) => {
      door.act = (socket) => {
        socket.open(Buffer.from('begin;'));
        setImmediate(resolve, socket);
        return {};
      };
    });
    await fillAndRead(t, port, opened, 15_000 + index * 1_009);
  }
});
