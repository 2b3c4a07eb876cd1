import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { LmdbStore } from '../../src/bus/engine/lmdb-store.ts';
import { append, eventEntry, recordsAfter } from '../support/journal-input.ts';
import { journalIn, temporaryDirectory } from '../support/open-journal.ts';

const program = fileURLToPath(new URL('./append-until-full.js', import.meta.url));

// A full disk is an answer to a publisher. It once ended the bus: LMDB rejected a batch of its own that nobody had asked for.
test('appends that the disk does not take fail one by one, and go on when there is room', async (t) => {
  const directory = temporaryDirectory(t);
  // No file above 4 MiB: the nearest to a full disk that needs no rights.
  const command = `ulimit -f 4096; exec "${process.execPath}" "${program}" "${directory}"`;
  const output = execFileSync('bash', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const { acknowledged, failures } = JSON.parse(output) as { acknowledged: string[]; failures: string[] };
  t.true(acknowledged.length > 0);
  t.is(failures.length, 10);
  t.deepEqual(
    failures.filter((code) => code !== 'journal-full' && code !== 'journal-failed'),
    [],
  );
  const { journal } = await journalIn(t, () => new LmdbStore(directory));
  const stored = await recordsAfter(journal, 0);
  t.deepEqual(
    stored.map(({ id }) => id),
    acknowledged,
  );
  await append(journal, eventEntry(1));
  t.is((await recordsAfter(journal, 0)).length, acknowledged.length + 1);
});
