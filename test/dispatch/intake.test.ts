import test from 'ava';
import type { WindowMark } from '../../src/contract/window.ts';
import { Intake } from '../../src/dispatch/intake.ts';
import { InterestMap } from '../../src/dispatch/interest.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { createWindow } from '../../src/window/window-memory.ts';
import { WindowWriter } from '../../src/window/window-writer.ts';
import type { WireError } from '../../src/wire/record/wire-error.ts';
import { changeRecord, encodeBatch, eventRecord, testExecution, testId } from '../support/record-batch.ts';

function openIntake() {
  const window = new WindowWriter(createWindow(4_194_304));
  const registry = new ExecutionRegistry();
  const interest = new InterestMap(registry, 2);
  const woken: WindowMark[][] = [[], []];
  const mailboxes = woken.map((marks) => ({ interest: (before: WindowMark) => void marks.push(before) }));
  const skipped: WireError[] = [];
  const onSkipped = (fault: WireError): void => void skipped.push(fault);
  const intake = new Intake({ window, registry, interest, mailboxes, onSkipped }, testId(0));
  return { window, registry, interest, woken, skipped, intake };
}

// Without this a bus that breaks the limits of the contract would stop the stream at the same record, again and again.
test('a record that no window can hold is left out and told; those around it go on', (t) => {
  const { window, registry, skipped, intake } = openIntake();
  const records = [eventRecord(1), eventRecord(2, { uri: '\u0001'.repeat(20_000) }), eventRecord(3)];
  t.is(intake.batch(encodeBatch({ records })), 2);
  t.deepEqual(
    skipped.map((fault) => fault.code),
    ['record-too-large'],
  );
  t.is(Number(intake.head().sequence), 3);
  t.is(intake.head().id, testId(3));
  t.is(window.idAt(2 as never), null);
  t.is(registry.get(testExecution)?.events, 2);
});

test('a record wakes just the shards that watch its execution, from before it on', (t) => {
  const { interest, woken, intake } = openIntake();
  intake.batch(encodeBatch({ records: [changeRecord(1, { tags: ['nightly'] })] }));
  interest.add(1 as never, 'nightly');
  intake.batch(
    encodeBatch({ records: [eventRecord(2), eventRecord(3, { executionId: '00000000-0000-4000-8000-000000000001' })] }),
  );
  t.deepEqual(
    woken.map((marks) => marks.map((mark) => Number(mark.sequence))),
    [[], [1]],
  );
});

// Without this the first event of an execution that has just got a watched tag could be slept through.
test('the very record that gives an execution a watched tag wakes', (t) => {
  const { interest, woken, intake } = openIntake();
  intake.batch(
    encodeBatch({
      records: [changeRecord(1, { executionId: '00000000-0000-4000-8000-000000000001', tags: ['nightly'] })],
    }),
  );
  interest.add(0 as never, 'nightly');
  intake.batch(encodeBatch({ records: [changeRecord(2, { tags: ['nightly'] }), eventRecord(3)] }));
  t.deepEqual(
    woken[0]?.map((mark) => Number(mark.sequence)),
    [1, 2],
  );
});

// Without this the registry would lag behind the window, for good, by what stood before the fault.
test('the records before a fault are in the window and in the registry', (t) => {
  const { window, registry, intake } = openIntake();
  const broken = { ...eventRecord(3), id: testId(4) };
  t.throws(() => intake.batch(encodeBatch({ records: [eventRecord(1), eventRecord(2), broken] })));
  t.is(Number(window.head().sequence), 2);
  t.like(registry.get(testExecution), { events: 2, lastEventSequence: 2, lastId: testId(2) });
});

test('events before and behind the end of an execution, in one batch, are told apart', (t) => {
  const { registry, intake } = openIntake();
  intake.batch(
    encodeBatch({ records: [eventRecord(1), changeRecord(2, { status: 3, statusChanged: true }), eventRecord(3)] }),
  );
  t.like(registry.get(testExecution), { events: 2, lateEvents: 1, lastId: testId(3) });
});
