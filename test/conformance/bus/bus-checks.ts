import type { Check } from '../kit/check.ts';
import type { BusDoor } from './door.ts';
import { publishChecks } from './publish.ts';
import { readChecks, stateChecks, subscribeChecks } from './reading.ts';
import { settlingChecks } from './settling.ts';
import { streamChecks } from './streams.ts';

/** The gRPC half of the kit. */
export const busChecks: readonly Check<BusDoor>[] = [
  ...publishChecks,
  ...settlingChecks,
  ...streamChecks,
  ...subscribeChecks,
  ...readChecks,
  ...stateChecks,
];
