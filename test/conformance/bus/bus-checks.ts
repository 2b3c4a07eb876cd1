import type { Check } from '../kit/check.ts';
import type { BusDoor } from './door.ts';
import { publishChecks } from './publish.ts';
import { readChecks } from './reading.ts';
import { settlingChecks } from './settling.ts';
import { stateChecks } from './state.ts';
import { streamChecks } from './streams.ts';
import { subscribeChecks } from './subscribe.ts';

/** The gRPC half of the kit. */
export const busChecks: readonly Check<BusDoor>[] = [
  ...publishChecks,
  ...settlingChecks,
  ...streamChecks,
  ...subscribeChecks,
  ...readChecks,
  ...stateChecks,
];
