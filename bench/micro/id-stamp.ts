import { type EventId, eventIdParts, formatEventId, type JournalTag, parseEventId } from '../../src/core/event-id.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { measure, report } from '../harness.ts';

/** Ids: stamping one (the bus, once a record), reading the parts, and parsing a client's cursor. */
const count = 500_000;
const tag = 4_711 as JournalTag;
const ids: EventId[] = [];
for (let index = 0; index < count; index += 1)
  ids.push(formatEventId(1_795_530_468_123 + index, (2 ** 41 + index) as Sequence, tag));
let sink = 0;
report('id-stamp', [
  measure({
    name: 'format an id',
    operations: count,
    run: () => {
      for (let index = 0; index < count; index += 1) {
        sink += formatEventId(1_795_530_468_123 + index, (2 ** 41 + index) as Sequence, tag).length;
      }
    },
  }),
  measure({
    name: 'parts of an id',
    operations: count,
    run: () => {
      for (const id of ids) sink += eventIdParts(id).tag;
    },
  }),
  measure({
    name: 'parse a cursor',
    operations: count,
    run: () => {
      for (const id of ids) sink += parseEventId(id) === null ? 0 : 1;
    },
  }),
]);
if (sink === 0) process.exitCode = 1;
