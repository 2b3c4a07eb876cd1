import test from 'ava';
import { formatEventId } from '../../src/core/event-id.ts';
import { openFilter } from '../../src/core/filter.ts';
import { drainLightBytesMax } from '../../src/core/limits.ts';
import { GroupTable } from '../../src/shard/group.ts';
import { PrefixTrie } from '../../src/shard/index/prefix-trie.ts';
import { Delivery } from '../../src/shard/reading/delivery.ts';
import { cursorAt, Session } from '../../src/shard/stream/session.ts';
import type { RecordView } from '../../src/wire/frame/window-record.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeSocket } from '../support/fake-socket.ts';

class Broken extends Error {
  override readonly name = 'Broken';
}

// It has left its group by then: closing the group's members would miss it, and it would stand open with heartbeats and nothing else.
test('a stream that cannot be put behind is closed itself, and the others of its group read on', (t) => {
  const groups = new GroupTable(new PrefixTrie());
  const group = groups.retain('one', [], openFilter);
  const sessions = [1, 2, 3].map((key) => {
    const options = { keepOpen: false, controlEvents: true, deadlineMs: 1_000 };
    const session = new Session(key, new FakeSocket(), group, options, 0);
    session.state = 'live';
    groups.join(session);
    return session;
  });
  const [, broken] = sessions;
  const behind: Session[] = [];
  const failed: Session[] = [];
  const together: Session[] = [];
  const delivery = new Delivery({
    groups,
    observer: { latency: () => undefined, delivered: () => undefined, parked: () => undefined } as never,
    clock: new FakeClock(),
    failed: (session) => void failed.push(session),
    groupFailed: (members) => void together.push(...members),
    behind: (session) => {
      if (session === broken) throw new Broken('behind');
      behind.push(session);
    },
    bytesMax: 0,
  });
  group.frames.push(0, drainLightBytesMax + 1, 0);
  const at = cursorAt({ sequence: 7 as never, id: formatEventId(1, 7 as never, 1 as never) });
  const view = { moveTo: () => true, timeMs: 0 } as unknown as RecordView;
  delivery.begin();
  delivery.deliver([group], { view, base: 0, start: at, end: at });
  t.deepEqual(failed, [broken]);
  t.deepEqual(behind, [sessions[2], sessions[0]]);
  t.deepEqual([together, group.members, group.frames], [[], [], []]);
});
