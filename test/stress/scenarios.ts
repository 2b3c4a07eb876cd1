import type { Scenario } from './scenario.ts';
import { arrivals } from './scenarios/arrivals.ts';
import { backup } from './scenarios/backup.ts';
import { browser } from './scenarios/browser.ts';
import { busAway } from './scenarios/bus-away.ts';
import { busLink } from './scenarios/bus-link.ts';
import { crash } from './scenarios/crash.ts';
import { damageScenarios } from './scenarios/damage.ts';
import { disk } from './scenarios/disk.ts';
import { endings } from './scenarios/endings.ts';
import { filters } from './scenarios/filters.ts';
import { graceful } from './scenarios/graceful.ts';
import { ids } from './scenarios/ids.ts';
import { lifecycle } from './scenarios/lifecycle.ts';
import { network } from './scenarios/network.ts';
import { noContent } from './scenarios/no-content.ts';
import { positions } from './scenarios/positions.ts';
import { slow } from './scenarios/slow.ts';
import { storm } from './scenarios/storm.ts';
import { supervise } from './scenarios/supervise.ts';
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
  ...damageScenarios,
  ...backup,
  ...disk,
  ...supervise,
  ...endings,
  ...lifecycle,
  ...noContent,
  ...network,
  ...busLink,
  ...ids,
  ...positions,
  ...filters,
  ...browser,
];
