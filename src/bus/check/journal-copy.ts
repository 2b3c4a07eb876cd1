import { join } from 'node:path';
import { assert } from '../../core/assert.ts';
import { systemClock } from '../../core/clock.ts';
import { type EventId, eventIdParts, formatEventId, type JournalTag } from '../../core/event-id.ts';
import { toSequence } from '../../core/sequence.ts';
import { ExecutionRegistry } from '../../executions/registry.ts';
import { decodeRecord } from '../../wire/grpc/grpc-proto.ts';
import { peekRecord, statusOfNumber } from '../../wire/record/record-codec.ts';
import type { JournalIdentity, JournalState, StoreBatch, StoredRecord } from '../engine/journal-store.ts';
import { journalFileName, LmdbStore, openTables, parseSourceRow, readMeta, tableStats } from '../engine/lmdb-store.ts';
import { packedFault, unpackRecord } from '../engine/stored-record.ts';
import { identityBatch, newIdentity, withNewTag } from '../journal/open-journal.ts';
import type { ChildReport } from './child-run.ts';

type Say = (report: ChildReport) => void;
type Task = (directory: string, rest: readonly string[], say: Say) => Promise<void>;

/** Rows of a table in one commit of the copy. */
export const rowsPerCommit = 500;

/**
 * The parts of a repair. Each runs in a process of its own, because reading the damaged file may end it; what a part committed before that
 * is kept. `directory` is the damaged journal's, `target` the new one's.
 *
 * - backup <target>: the whole file as of one snapshot, free pages left out; the journal may be one that a running bus writes to
 * - copy-meta <target>: who the journal was, with a new tag
 * - copy-records <target> <after> <records per commit>: those behind a sequence, as they are; what fails its checksum is left out
 * - copy-executions <target>, copy-sources <target>
 * - begin-new, fold-executions, finish: `directory` is the new journal; nothing of the damaged one is read
 */
export const copyTasks = {
  backup,
  'copy-meta': copyMeta,
  'copy-records': copyRecords,
  'copy-executions': copyExecutions,
  'copy-sources': copySources,
  'begin-new': beginNew,
  'fold-executions': foldExecutions,
  finish,
} as const satisfies Record<string, Task>;

export function isCopyTask(task: string): task is keyof typeof copyTasks {
  return Object.hasOwn(copyTasks, task);
}

async function withStore(target: string | undefined, run: (store: LmdbStore) => Promise<void>): Promise<void> {
  const store = new LmdbStore(target ?? '');
  await run(store);
  await store.close();
}

/** Rows on top of what the copy holds already. */
async function addRows(store: LmdbStore, rows: Partial<StoreBatch>): Promise<void> {
  const { identity, state } = store.load() ?? newIdentity(systemClock.wallMs());
  await store.commit({ ...identityBatch(identity, state), ...rows });
}

async function backup(directory: string, [target = '']: readonly string[], say: Say): Promise<void> {
  const { root } = openTables(directory, { readOnly: true });
  say({ kind: 'opened' });
  await root.backup(join(target, journalFileName), true);
  const copy = openTables(target, { readOnly: true });
  const meta = readMeta(copy);
  if (meta !== null) {
    say({ kind: 'backed-up', records: tableStats(copy.records).entryCount, newestId: meta.state.newestId });
  }
}

async function copyMeta(directory: string, [target]: readonly string[], say: Say): Promise<void> {
  const meta = readMeta(openTables(directory, { readOnly: true }));
  if (meta === null) return;
  await withStore(target, (store) =>
    store.commit(identityBatch(withNewTag(meta.identity, meta.state), { ...meta.state, sources: 0 })),
  );
  say({ kind: 'done', rows: 1 });
}

async function beginNew(directory: string, _rest: readonly string[], say: Say): Promise<void> {
  const { identity, state } = newIdentity(systemClock.wallMs());
  await withStore(directory, (store) => store.commit(identityBatch(identity, state)));
  say({ kind: 'done', rows: 1 });
}

async function copyRecords(directory: string, rest: readonly string[], say: Say): Promise<void> {
  const [target, after = '0', perCommit = String(rowsPerCommit)] = rest;
  const { records } = openTables(directory, { readOnly: true });
  say({ kind: 'opened' });
  await withStore(target, async (store) => {
    let batch: StoredRecord[] = [];
    let through = Number(after);
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await addRows(store, { records: batch });
      batch = [];
      say({ kind: 'copied', through });
    };
    for (const { key, value } of records.getRange({ start: Number(after) + 1 })) {
      if (packedFault(value) === null) batch.push(unpackRecord(key, value));
      through = key;
      if (batch.length >= Number(perCommit)) await flush();
    }
    await flush();
    // A page of nonsense may end a walk without an error.
    for (const { key } of records.getRange({ reverse: true, limit: 1 })) assert(key <= through, 'the walk ended early');
    say({ kind: 'done', rows: 0 });
  });
}

async function copyExecutions(directory: string, [target]: readonly string[], say: Say): Promise<void> {
  const source = new LmdbStore(directory, { readOnly: true });
  const executions = [...source.executions()];
  const { entryCount } = tableStats(openTables(directory, { readOnly: true }).executions);
  assert(executions.length === entryCount, 'the walk ended early');
  await withStore(target, async (store) => {
    for (let from = 0; from < executions.length; from += rowsPerCommit) {
      await addRows(store, { executions: executions.slice(from, from + rowsPerCommit) });
    }
  });
  say({ kind: 'done', rows: executions.length });
}

async function copySources(directory: string, [target]: readonly string[], say: Say): Promise<void> {
  const { sources } = openTables(directory, { readOnly: true });
  let rows = 0;
  await withStore(target, async (store) => {
    let batch: StoreBatch['sources'][number][] = [];
    for (const { key, value } of sources.getRange()) {
      batch.push(parseSourceRow(key, value));
      rows += 1;
      if (batch.length < rowsPerCommit) continue;
      await addRows(store, { sources: batch });
      batch = [];
    }
    await addRows(store, { sources: batch });
  });
  assert(rows === tableStats(sources).entryCount, 'the walk ended early');
  say({ kind: 'done', rows });
}

/** The executions that the copied records name: for a table that could not be read. What only lost records said is lost. */
async function foldExecutions(directory: string, _rest: readonly string[], say: Say): Promise<void> {
  const registry = new ExecutionRegistry();
  await withStore(directory, async (store) => {
    for (const stored of recordsOf(store)) {
      const { sequence, id, event, change } = decodeRecord(stored);
      const at = { sequence, id, timeMs: eventIdParts(id as EventId).timeMs };
      if (event !== undefined) registry.applyEvent(event.execution_id ?? '', at, event.size ?? 0, event.time ?? '');
      if (change !== undefined) {
        registry.applyChange(change.execution_id ?? '', at, {
          status: statusOfNumber(change.status ?? 0) ?? 'running',
          statusChanged: change.status_changed ?? false,
          tags: change.tags ?? [],
          reason: change.reason ?? '',
        });
      }
    }
    await addRows(store, { executions: [...registry.values()] });
  });
  say({ kind: 'done', rows: registry.size });
}

function* recordsOf(store: LmdbStore): Generator<Uint8Array, void> {
  for (let head = store.head(1); head !== null; head = store.head(head.sequence + 1)) {
    const record = store.record(head.sequence);
    // Its own copy: the next read overwrites what LMDB lends.
    if (record !== null) yield Uint8Array.from(record);
  }
}

/** Settles the state over what was copied. `rest[0]` is `new` when the damaged journal did not say who it was. */
async function finish(directory: string, [origin]: readonly string[], say: Say): Promise<void> {
  let rows = 0;
  await withStore(directory, async (store) => {
    const loaded = store.load() ?? newIdentity(systemClock.wallMs());
    const sources = store.oldestSources(Number.MAX_SAFE_INTEGER).length;
    const tags = new Map<JournalTag, number>();
    let last: number = loaded.state.horizonSequence;
    let lostThrough = loaded.identity.lostThrough ?? 0;
    for (const record of recordsOf(store)) {
      rows += 1;
      const { sequence, id } = peekRecord(record);
      if (sequence > last + 1 && origin !== 'new') lostThrough = Math.max(lostThrough, sequence - 1);
      last = sequence;
      const { tag } = eventIdParts(id as EventId);
      if (!tags.has(tag)) tags.set(tag, sequence);
    }
    const settled = origin === 'new' && rows > 0 ? recovered(store, loaded, tags) : loaded;
    // Nobody knows how much came behind the last record of a journal that does not say how far it was.
    if (origin === 'new') lostThrough = last + 1;
    else if (last < loaded.state.newestSequence) lostThrough = loaded.state.newestSequence;
    const identity = { ...settled.identity, repaired: true, lostThrough };
    await store.commit(identityBatch(identity, { ...settled.state, sources }));
  });
  say({ kind: 'done', rows });
}

/** Who a journal must have been whose records are all that is left of it. */
function recovered(
  store: LmdbStore,
  loaded: { readonly identity: JournalIdentity; readonly state: JournalState },
  tags: ReadonlyMap<JournalTag, number>,
): { identity: JournalIdentity; state: JournalState } {
  const first = store.head(1);
  let last = first;
  for (let head = first; head !== null; head = store.head(head.sequence + 1)) last = head;
  const newest = last === null ? null : store.record(last.sequence);
  if (first === null || last === null || newest === null) return loaded;
  const newestId = peekRecord(newest).id as EventId;
  const lives = [...tags].map(([tag, sequence]) => ({ tag, first: sequence }));
  const horizonSequence = first.sequence - 1;
  const firstTag = lives[0]?.tag ?? (0 as JournalTag);
  const state: JournalState = {
    ...loaded.state,
    newestSequence: last.sequence,
    newestId,
    newestMs: last.timeMs,
    totalBytes: last.offset + last.byteLength,
    horizonSequence,
    horizonId: formatEventId(first.timeMs, toSequence(horizonSequence), firstTag),
    horizonBytes: first.offset,
    ageMs: last.timeMs,
  };
  const former = {
    ...loaded.identity,
    createdMs: first.timeMs,
    tags: [{ tag: firstTag, first: 1 }, ...lives.slice(1)],
  };
  return { identity: withNewTag(former, state), state };
}
