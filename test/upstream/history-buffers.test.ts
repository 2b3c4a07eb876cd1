import test from 'ava';
import { historyBlockBytes, historyBuffersKeptMax } from '../../src/core/limits.ts';
import { HistoryBuffers } from '../../src/upstream/history-buffers.ts';

test('memory that was given back is used again, at most so much is kept, and none of another size', (t) => {
  const buffers = new HistoryBuffers();
  const taken = Array.from({ length: historyBuffersKeptMax + 1 }, () => buffers.take());
  t.is(new Set(taken).size, historyBuffersKeptMax + 1);
  t.true(taken.every((buffer) => buffer.byteLength === historyBlockBytes));
  for (const buffer of taken) buffers.giveBack(buffer);
  buffers.giveBack(new ArrayBuffer(historyBlockBytes + 8));
  t.is(buffers.kept, historyBuffersKeptMax);
  const again = taken.map(() => buffers.take());
  t.is(again.filter((buffer) => taken.includes(buffer)).length, historyBuffersKeptMax);
  t.is(buffers.kept, 0);
});
