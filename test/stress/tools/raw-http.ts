import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Behind each piece, so that the next comes in a packet of its own. */
const betweenPiecesMs = 1;

/** The head of a GET, as it goes over the wire. */
export function headOf(base: string, path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${new URL(base).host}\r\nConnection: close\r\n\r\n`;
}

/** Sends the pieces of one request, and settles with the whole answer: head, chunk sizes and all. The answer must have an end, or it never settles. */
export async function rawAnswer(base: string, pieces: readonly string[]): Promise<Buffer> {
  const { hostname, port } = new URL(base);
  const chunks: Buffer[] = [];
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const over = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => {
      resolve();
    });
  });
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (chunk.subarray(-7).equals(lastChunk)) socket.end();
  });
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await Promise.race([sleep(betweenPiecesMs), over]);
    if (socket.destroyed) break;
    socket.write(piece);
  }
  await over;
  return Buffer.concat(chunks);
}

const lastChunk = Buffer.from('\r\n0\r\n\r\n');
