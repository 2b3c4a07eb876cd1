import test from 'ava';
import type { StorageEventInput } from '../../src/core/event.ts';
import { eventJsonBytes, eventSizeFault } from '../../src/core/event-json.ts';
import { eventJsonBytesMax } from '../../src/core/limits.ts';

const event = { execution_id: '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10', stage: 's', path: 'p.md' };
const metadataOf = (value: string, keys: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: keys }, (_, index) => [`k${index}`, value]));

// Without this the bus would take an event that no window can hold: U+0085 is two bytes, and six once it is escaped.
test('the size of an event is counted as it will stand in its frame, line ends escaped', (t) => {
  const metadata = metadataOf('\u0085'.repeat(512), 32);
  t.true(Buffer.byteLength(JSON.stringify({ ...event, metadata })) < eventJsonBytesMax);
  t.true(eventJsonBytes({ ...event, metadata }) > eventJsonBytesMax);
  t.regex(eventSizeFault({ ...event, metadata }) ?? '', /must be at most 65536 bytes/);
});

test('the largest metadata of plain text fits', (t) => {
  t.is(eventSizeFault({ ...event, metadata: metadataOf('x'.repeat(1024), 32) }), null);
});

test('an event of 65,536 bytes fits, and one of a byte more does not', (t) => {
  const metadata = metadataOf('\u0001'.repeat(256), 32);
  const withUri = (bytes: number): StorageEventInput => ({ ...event, metadata, uri: 'u'.repeat(bytes) });
  // Long enough that it is counted to the byte; plain text is a byte a character.
  const length = 10_000 + eventJsonBytesMax - eventJsonBytes(withUri(10_000));
  t.is(eventJsonBytes(withUri(length)), eventJsonBytesMax);
  t.is(eventSizeFault(withUri(length)), null);
  t.regex(eventSizeFault(withUri(length + 1)) ?? '', /is 65537$/);
});
