import test from 'ava';
import { readTap } from './tap.ts';

async function* linesOf(text: string): AsyncGenerator<string> {
  for (const line of text.split('\n')) yield await Promise.resolve(line);
}

const sample = `TAP version 13
ok 1 - a › passes
not ok 2 - b › fails
  ---
    name: AssertionError
    message: no
  ...
ok 3 - c › later # SKIP
not ok 4 - d › to write # TODO
# a remark
ok 5 - ok 6 - looks like a result
---tty-stream-chunk-separator
1..5
not ok 6 - e.test.js exited with a non-zero exit code: 1

1..6
# tests 5`;

// Without this the closing line could say that all passed while a test file never ran.
test('counts are those of the results, and a failure keeps its detail', async (t) => {
  const shown: string[] = [];
  const counts = await readTap(linesOf(sample), (line) => shown.push(line));
  t.is(counts.passed, 2);
  t.is(counts.failed, 2);
  t.is(counts.skipped, 2);
  t.deepEqual(counts.failures, [
    { title: 'b › fails', detail: '    name: AssertionError\n    message: no' },
    { title: 'e.test.js exited with a non-zero exit code: 1', detail: '' },
  ]);
  t.deepEqual(shown, [
    '  ✔ a › passes',
    '  ✘ b › fails',
    '  - c › later',
    '  - d › to write',
    '  ✔ ok 6 - looks like a result',
    '  ✘ e.test.js exited with a non-zero exit code: 1',
  ]);
});
