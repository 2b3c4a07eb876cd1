import type { Readable } from 'node:stream';
import { batchBytesMax, batchEventsMax, publishLineBytesMax } from '../../core/limits.ts';

/** A line of input and its number, from 1. */
export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/** Half the batch in characters of input leaves room for what a wire adds, even when it writes JSON again. */
const batchInputBytesMax = batchBytesMax / 2;

/** `lines` in order, or what stops the reading: bytes that are not UTF-8, or a line that is too long. */
export type LineBatch =
  | { readonly kind: 'lines'; readonly lines: readonly NumberedLine[] }
  | { readonly kind: 'bad'; readonly number: number; readonly reason: string };

/**
 * Groups lines into batches: full ones while input is waiting, smaller ones as soon as it pauses, so that a live pipe is published at once.
 *
 * Empty lines are counted and skipped. Memory: one batch and one line.
 */
export async function* lineBatches(input: Readable): AsyncGenerator<LineBatch> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = Buffer.alloc(0);
  let number = 0;
  let batch: NumberedLine[] = [];
  let bytes = 0;
  const take = (line: Buffer): LineBatch | null => {
    number += 1;
    if (line.length > publishLineBytesMax) {
      return { kind: 'bad', number, reason: `line: must be at most ${publishLineBytesMax} bytes` };
    }
    try {
      const text = decoder.decode(line).trim();
      if (text !== '') batch.push({ number, text });
    } catch {
      return { kind: 'bad', number, reason: 'line: is not UTF-8' };
    }
    bytes += line.length;
    return null;
  };
  const flush = (): LineBatch => {
    const lines = batch;
    batch = [];
    bytes = 0;
    return { kind: 'lines', lines };
  };
  for await (const chunk of input as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const bad = take(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      if (batch.length > 0 && (bad !== null || batch.length === batchEventsMax || bytes >= batchInputBytesMax))
        yield flush();
      if (bad !== null) {
        yield bad;
        return;
      }
    }
    if (rest.length > publishLineBytesMax) break;
    if (batch.length > 0 && input.readableLength === 0) yield flush();
  }
  const bad = rest.length > 0 ? take(rest) : null;
  if (batch.length > 0) yield flush();
  if (bad !== null) yield bad;
}
