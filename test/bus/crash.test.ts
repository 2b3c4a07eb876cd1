import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { checkJournal } from '../../src/bus/check/check-journal.ts';
import { LmdbStore } from '../../src/bus/engine/lmdb-store.ts';
import { systemClock } from '../../src/core/clock.ts';
import { append, eventEntry, executionOf, recordsAfter } from '../support/journal-input.ts';
import { journalIn, temporaryDirectory } from '../support/open-journal.ts';

const program = fileURLToPath(new URL('./publish-forever.js', import.meta.url));

// Without this, "acknowledged" would mean nothing.
test('what was acknowledged before SIGKILL is there afterwards, with the same ids', async (t) => {
  const directory = temporaryDirectory(t);
  const acknowledged: string[][] = [];
  for (const lives of [150, 300]) {
    const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    const enough = acknowledged.length + lives;
    lines.on('line', (line) => {
      // A line that the kill cut short was acknowledged too, but cannot be compared.
      if (line.split(' ').length === 4) acknowledged.push(line.split(' '));
      if (acknowledged.length === enough) child.kill('SIGKILL');
    });
    await once(child, 'close');
    await checkJournal(directory, systemClock);
  }
  const { journal } = await journalIn(t, () => new LmdbStore(directory));
  const records = await recordsAfter(journal, 0);
  const stored = new Map(records.map((record) => [record.id, record]));
  t.true(acknowledged.length >= 450);
  for (const [first = '', second = '', execution, source = ''] of acknowledged) {
    t.is(stored.get(first)?.event?.source_id, source);
    t.is(stored.get(second)?.event?.execution_id, executionOf(Number(execution)));
  }
  t.deepEqual(
    records.map(({ sequence }) => sequence),
    records.map((_, index) => index + 1),
  );
  t.deepEqual(
    records.map(({ id }) => id).sort(),
    records.map(({ id }) => id),
  );
  // A batch is there as a whole: events come in pairs.
  t.is(records.length % 2, 0);
  const events = [1, 2, 3, 4].map((n) => journal.execution(executionOf(n))?.events ?? 0);
  t.is(
    events.reduce((sum, count) => sum + count),
    records.length,
  );
  const [first = '', , execution, source_id = ''] = acknowledged.at(-1) ?? [];
  const again = await append(journal, eventEntry(Number(execution), { source_id }));
  t.deepEqual(again.ids, [first as never]);
});
