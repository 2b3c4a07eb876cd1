import test from 'ava';
import { LmdbStore } from '../../src/bus/engine/lmdb-store.ts';
import { eventJournalContract, type OpenUnderTest } from '../contract/event-journal.contract.ts';
import { journalRetentionContract } from '../contract/journal-retention.contract.ts';
import { journalIn, temporaryDirectory } from '../support/open-journal.ts';

const open: OpenUnderTest = (t, settings) => {
  const directory = temporaryDirectory(t);
  return journalIn(t, () => new LmdbStore(directory), settings);
};

eventJournalContract(test, 'lmdb', open);
journalRetentionContract(test, 'lmdb', open);
