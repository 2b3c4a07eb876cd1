import test from 'ava';
import { conformanceCases, runConformanceCases } from '../conformance/cases.ts';
import { ownerOf, type System, startSystem } from '../support/system.ts';

let system: System;
const owner = ownerOf(test);
test.before(async () => {
  system = await startSystem(owner);
});

const failures = async (): Promise<readonly unknown[]> => {
  const results = await runConformanceCases(system.http);
  return results.filter((result) => result.failure !== null);
};

// Without this the cases would hold for the edge alone and not for the program: the shard and the registry have their say in the status.
test.serial('every case holds against the program while its executions are unknown', async (t) => {
  t.true(conformanceCases().length >= 100);
  t.deepEqual(await failures(), []);
});

test.serial('every case holds once the execution that they name is known', async (t) => {
  await system.put('018f4c1e-7b2a-7cc3-98c4-dc0c0c07398f', { status: 'running' });
  t.deepEqual(await failures(), []);
});
