import test from 'ava';
import type { Sequence } from '../../../src/core/sequence.ts';
import { RingReader } from '../../../src/window/ring-reader.ts';
import { createWindow } from '../../../src/window/window-memory.ts';
import { WindowWriter } from '../../../src/window/window-writer.ts';
import { checkedRecord } from '../../support/checked-record.ts';
import { readerOn } from '../../support/record-batch.ts';

// A search believed its checkpoints: a negative one ended in a RangeError of the runtime.
for (const wild of [-1, -8, -1e300, Number.NEGATIVE_INFINITY, Number.NaN, 1e300]) {
  test(`a checkpoint of ${wild} gives an answer and ends`, (t) => {
    const memory = createWindow(100_000);
    const writer = new WindowWriter(memory);
    for (let sequence = 1; sequence <= 5; sequence += 1) writer.append(readerOn(checkedRecord(sequence)));
    const head = writer.head();
    const checkpoints = new Float64Array(memory.checkpoints);
    for (let slot = 0; slot < checkpoints.length; slot += 2) checkpoints[slot] = wild;
    const found = new RingReader(memory).find(2 as Sequence, head);
    t.true(found === null || found <= head.offset);
  });
}
