import type { ExecutionFacts } from '../../contract/journal.ts';
import { isTerminal } from '../../core/execution.ts';
import { trimExecutionsMax, trimRecordsMax, trimSourcesMax } from '../../core/limits.ts';
import { lastSequence } from '../../executions/entry.ts';
import { beginsWithSequence } from '../../wire/record/record-codec.ts';
import type { JournalState, JournalStore, RecordHead } from '../engine/journal-store.ts';
import type { JournalSettings } from './journal-settings.ts';

/** The last kept record for which `holds`, which is true of the first ones and false of the rest; null when it is false of all. */
export function lastHolding(
  store: JournalStore,
  state: JournalState,
  holds: (head: RecordHead) => boolean,
): RecordHead | null {
  let best: RecordHead | null = null;
  let low = state.horizonSequence + 1;
  let high = state.newestSequence;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const head = store.head(middle);
    if (head !== null && head.sequence <= high && holds(head)) {
      best = head;
      low = head.sequence + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}

/** The record up to which one sweep may take records away, by age and by bytes; null: none. Cost: two binary searches. */
export function trimTarget(
  store: JournalStore,
  state: JournalState,
  settings: JournalSettings,
  ageNowMs: number,
): RecordHead | null {
  const cutoffMs = ageNowMs - settings.retentionAgeMs;
  const cutoffBytes = state.totalBytes - settings.retentionBytes;
  const target = lastHolding(store, state, (head) => head.timeMs < cutoffMs || head.offset < cutoffBytes);
  if (target === null) return null;
  const cap = state.horizonSequence + trimRecordsMax;
  const last = target.sequence <= cap ? target : store.head(cap);
  return last === null ? null : soundHead(store, last, state.horizonSequence);
}

/** The horizon is known by its record's id and offset: a damaged one cannot be it, and the sound one before it is. */
function soundHead(store: JournalStore, last: RecordHead, horizonSequence: number): RecordHead | null {
  for (let sequence = last.sequence; sequence > horizonSequence; sequence -= 1) {
    const record = store.record(sequence);
    if (record !== null && beginsWithSequence(record, sequence)) return store.head(sequence);
  }
  return null;
}

/** Sequences of the idempotency keys that are older than their window; at most a step's worth. */
export function expiredSources(store: JournalStore, settings: JournalSettings, ageNowMs: number): number[] {
  const cutoffMs = ageNowMs - settings.idempotencyAgeMs;
  const oldest = store.oldestSources(trimSourcesMax);
  return oldest.filter(({ timeMs }) => timeMs < cutoffMs).map(({ sequence }) => sequence);
}

/** Executions whose time is over and of which no record is kept; at most a step's worth. Cost: every execution once. */
export function expiredExecutions(
  executions: Iterable<ExecutionFacts>,
  cutoffMs: number,
  horizonSequence: number,
): string[] {
  const expired: string[] = [];
  for (const facts of executions) {
    if (facts.changedMs >= cutoffMs || lastSequence(facts) > horizonSequence) continue;
    expired.push(facts.executionId);
    if (expired.length === trimExecutionsMax) break;
  }
  return expired;
}

/**
 * Executions that make room for others: terminal ones first, then those that were longest not named.
 *
 * Cost: a sort of all of them (a million: about 100 ms), so the caller makes room for many at a time.
 */
export function executionsToEvict(
  executions: Iterable<ExecutionFacts>,
  count: number,
  keep: (executionId: string) => boolean,
): string[] {
  const candidates: { readonly executionId: string; readonly rank: number }[] = [];
  for (const facts of executions) {
    if (keep(facts.executionId)) continue;
    const rank = lastSequence(facts) + (isTerminal(facts.status) ? 0 : 2 ** 52);
    candidates.push({ executionId: facts.executionId, rank });
  }
  candidates.sort((a, b) => a.rank - b.rank);
  return candidates.slice(0, count).map(({ executionId }) => executionId);
}
