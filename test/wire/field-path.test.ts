import test from 'ava';
import { formatFieldPath, parseFieldPath } from '../../src/wire/grpc/field-path.ts';

test('a field path reads as in the proto, and comes back', (t) => {
  const cases: [string, (string | number)[]][] = [
    ['entries[3].event.stage', ['entries', 3, 'event', 'stage']],
    ['entries[0].event.metadata["a b.c[1]\\"x\\""]', ['entries', 0, 'event', 'metadata', 'a b.c[1]"x"']],
    ['entries[0].event.metadata.k', ['entries', 0, 'event', 'metadata', 'k']],
    ['from.after.id', ['from', 'after', 'id']],
    ['', []],
  ];
  for (const [path, field] of cases) {
    t.is(formatFieldPath(field), path);
    t.deepEqual(parseFieldPath(path), field);
  }
});

// Without this, the words of another bus, or a path that was cut, would lose what it says.
test('what is no path of ours stays as it is', (t) => {
  for (const path of ['a..b', 'entries[x]', 'metadata["cut', '$.stage']) t.deepEqual(parseFieldPath(path), [path]);
});
