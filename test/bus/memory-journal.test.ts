import test from 'ava';
import { MemoryStore } from '../../src/bus/engine/memory-store.ts';
import { eventJournalContract, type OpenUnderTest } from '../contract/event-journal.contract.ts';
import { journalRetentionContract } from '../contract/journal-retention.contract.ts';
import { journalIn } from '../support/open-journal.ts';

const open: OpenUnderTest = (t, settings) => {
  const store = new MemoryStore();
  return journalIn(t, () => store, settings);
};

eventJournalContract(test, 'memory', open);
journalRetentionContract(test, 'memory', open);
