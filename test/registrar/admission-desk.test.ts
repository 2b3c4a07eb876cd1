import test from 'ava';
import type { ShardIndex } from '../../src/core/sequence.ts';
import { AdmissionDesk } from '../../src/registrar/admission-desk.ts';

const shard = (index: number): ShardIndex => index as ShardIndex;

test('places are counted over all shards and per address, and given back once', (t) => {
  const desk = new AdmissionDesk(3, 2);
  t.is(desk.enter(shard(0), 1, 'x'), null);
  t.is(desk.enter(shard(1), 1, 'x'), null);
  t.deepEqual(desk.enter(shard(0), 2, 'x'), { kind: 'connections-exhausted', scope: 'address', max: 2 });
  desk.leave(shard(0), 2);
  t.is(desk.streams, 2, 'who had no place gives none back');
  t.is(desk.enter(shard(0), 3, 'y'), null);
  t.deepEqual(desk.enter(shard(0), 4, 'z'), { kind: 'connections-exhausted', scope: 'server', max: 3 });
  desk.leave(shard(1), 1);
  desk.leave(shard(1), 1);
  t.is(desk.streams, 2);
  t.is(desk.enter(shard(1), 2, 'x'), null);
  t.is(desk.enter(shard(1), 3, 'x')?.kind, 'connections-exhausted');
  const unlimited = new AdmissionDesk(100, 0);
  for (let session = 0; session < 100; session += 1) t.is(unlimited.enter(shard(0), session, 'x'), null);
});
