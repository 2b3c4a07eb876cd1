import { Registry } from 'prom-client';
import type { JournalStats } from '../contract/journal.ts';
import { probe } from './tally.ts';

/** The journal's own counts in the text format of Prometheus, for the process that it runs in. */
export function journalText(counts: JournalStats): Promise<string> {
  const registry = new Registry();
  const show = (name: string, help: string, value: number): void => {
    probe({ name: `rivulet_journal_${name}`, help, registry }, () => value);
  };
  show('records', 'Records kept.', counts.records);
  show('executions', 'Executions remembered.', counts.executions);
  show('sources', 'Idempotency keys remembered.', counts.sources);
  show('sources_forgotten', 'Idempotency keys forgotten because there were too many, ever.', counts.sourcesForgotten);
  show('executions_forgotten', 'Executions forgotten, ever.', counts.executionsForgotten);
  show('commits', 'Group commits since the start.', counts.commits);
  show('pending_appends', 'Appends that wait for a commit.', counts.pendingAppends);
  show('pending_bytes', 'Bytes of those.', counts.pendingBytes);
  show(
    'clock_alarm',
    '1 while the clock stands a day ahead and age retention is held back.',
    counts.clockAlarm ? 1 : 0,
  );
  return registry.metrics();
}
