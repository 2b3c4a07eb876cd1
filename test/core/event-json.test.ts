import test from 'ava';
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
