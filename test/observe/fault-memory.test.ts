import test from 'ava';
import { BusError } from '../../src/core/failure.ts';
import { damagesRememberedMax } from '../../src/core/limits.ts';
import { faultMemory } from '../../src/observe/fault-memory.ts';

test('what is met again with every try is old after its first time; what is not tried again is said each time', (t) => {
  const isOld = faultMemory();
  const defect = (message: string): boolean => isOld('history', new TypeError(message));
  t.deepEqual([defect('a'), defect('a'), defect('b'), defect('a')], [false, true, false, true]);
  const damage = (place: string): boolean => isOld('upstream', new BusError('damaged', place));
  t.deepEqual([damage('1'), damage('1'), damage('2')], [false, true, false]);
  t.deepEqual([isOld('join', new TypeError('a')), isOld('join', new TypeError('a'))], [false, false]);
});

test('causes without end are no growth, and no flood', (t) => {
  const isOld = faultMemory();
  for (let cause = 0; cause < damagesRememberedMax; cause += 1) t.false(isOld('history', new TypeError(`${cause}`)));
  t.true(isOld('history', new TypeError('one more')));
});
