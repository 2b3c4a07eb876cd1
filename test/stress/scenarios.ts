import type { Scenario } from './scenario.ts';
import { arrivals } from './scenarios/arrivals.ts';
import { busAway } from './scenarios/bus-away.ts';
import { crash } from './scenarios/crash.ts';
import { graceful } from './scenarios/graceful.ts';
import { slow } from './scenarios/slow.ts';
import { storm } from './scenarios/storm.ts';
import { twoRouterScenarios } from './scenarios/two-routers.ts';

/** Every scenario, in the order in which they run: a topic a file. */
export const scenarios: readonly Scenario[] = [
  ...crash,
  ...busAway,
  ...twoRouterScenarios,
  ...storm,
  ...arrivals,
  ...slow,
  ...graceful,
];
