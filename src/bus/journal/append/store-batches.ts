import type { EventId } from '../../../core/event-id.ts';
import { executionSweepPeriodMs, trimExecutionsMax, trimRecordsMax, trimSourcesMax } from '../../../core/limits.ts';
import type { ExecutionRegistry } from '../../../executions/registry.ts';
import { peekRecord } from '../../../wire/record/record-codec.ts';
import type { JournalState, JournalStore, RecordHead, StoreBatch } from '../../engine/journal-store.ts';
import type { JournalSettings } from '../journal-settings.ts';
import { executionsToEvict, expiredExecutions, expiredSources, trimTarget } from '../retention.ts';
import type { GroupStage } from './group-stage.ts';

/** Where the journal stands when a batch is made up. */
export interface BatchContext {
  readonly store: JournalStore;
  readonly state: JournalState;
  readonly settings: JournalSettings;
  readonly registry: ExecutionRegistry;
  readonly ageMs: number;
}

/** How far the age clock may be ahead of what is stored before a sweep stores it. */
const ageStoredEveryMs = 3_600_000;

/** One commit of a staged group, with what must go to make room for it. */
export function groupBatch(context: BatchContext, stage: GroupStage): StoreBatch {
  const { state, settings, store, registry } = context;
  const last = stage.records.at(-1);
  const sources = [...stage.sources.values()];
  const excess = Math.max(0, state.sources + sources.length - settings.idempotencyKeysMax);
  const forgotten = excess === 0 ? [] : store.oldestSources(excess).map(({ sequence }) => sequence);
  const kept = sources.slice(excess - forgotten.length);
  return {
    records: stage.records,
    executions: [...stage.executions.values()],
    executionsForgotten: evictions(registry, settings, stage),
    sources: kept,
    sourcesForgotten: forgotten,
    trim: null,
    state: {
      ...state,
      newestSequence: stage.tip.sequence,
      newestId: last === undefined ? state.newestId : (peekRecord(last.bytes).id as EventId),
      newestMs: last?.timeMs ?? state.newestMs,
      totalBytes: stage.tip.totalBytes,
      sources: state.sources - forgotten.length + kept.length,
      sourcesForgotten: state.sourcesForgotten + excess,
      ageMs: context.ageMs,
    },
    identity: null,
  };
}

/** A hundredth more than must go, so that the sort that finds them is rare. */
function evictions(registry: ExecutionRegistry, settings: JournalSettings, stage: GroupStage): string[] {
  let size = registry.size;
  for (const executionId of stage.executions.keys()) if (registry.get(executionId) === undefined) size += 1;
  if (size <= settings.executionsMax) return [];
  const count = size - settings.executionsMax + Math.floor(settings.executionsMax / 100);
  return executionsToEvict(registry.values(), count, (executionId) => stage.executions.has(executionId));
}

/** One step of retention; a null batch when there is nothing to store. */
export function sweepBatch(
  context: BatchContext,
  sinceExecutionsMs: number,
): { readonly batch: StoreBatch | null; readonly more: boolean; readonly executionsSwept: boolean } {
  const { state, settings, store, registry, ageMs } = context;
  const target = trimTarget(store, state, settings, ageMs);
  const sourcesForgotten = expiredSources(store, settings, ageMs);
  const executionsSwept = sinceExecutionsMs >= executionSweepPeriodMs;
  const horizonSequence = target?.sequence ?? state.horizonSequence;
  const executionsForgotten = executionsSwept
    ? expiredExecutions(registry.values(), ageMs - settings.executionAgeMs, horizonSequence)
    : [];
  const idle = target === null && sourcesForgotten.length === 0 && executionsForgotten.length === 0;
  if (idle && Math.abs(ageMs - state.ageMs) < ageStoredEveryMs) return { batch: null, more: false, executionsSwept };
  const batch: StoreBatch = {
    records: [],
    executions: [],
    executionsForgotten,
    sources: [],
    sourcesForgotten,
    trim: target === null ? null : { after: state.horizonSequence, through: target.sequence },
    state: { ...trimmedState(context, target), sources: state.sources - sourcesForgotten.length, ageMs },
    identity: null,
  };
  const more =
    horizonSequence - state.horizonSequence >= trimRecordsMax ||
    sourcesForgotten.length === trimSourcesMax ||
    executionsForgotten.length === trimExecutionsMax;
  // What is left of the executions must not wait for the next minute.
  return { batch, more, executionsSwept: executionsForgotten.length < trimExecutionsMax && executionsSwept };
}

/** The state once the records up to a target are gone. */
function trimmedState({ state, store }: BatchContext, target: RecordHead | null): JournalState {
  const record = target === null ? null : store.record(target.sequence);
  if (target === null || record === null) return state;
  return {
    ...state,
    horizonSequence: target.sequence,
    horizonId: peekRecord(record).id as EventId,
    horizonBytes: target.offset + target.byteLength,
  };
}
