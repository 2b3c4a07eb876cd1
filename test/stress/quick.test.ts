import { randomInt } from 'node:crypto';
import test from 'ava';
import { runScenario } from './runner.ts';
import { scenarios } from './scenarios.ts';

/** The minute of the stress suite that every test run pays for; `npm run stress` is the whole. */
for (const scenario of scenarios.filter(({ quick }) => quick)) {
  test.serial(scenario.name, async (t) => {
    t.timeout(110_000);
    const given = process.env['RIVULET_SEED'];
    const outcome = await runScenario(scenario, given === undefined ? randomInt(2 ** 32) : Number(given), (text) => {
      t.log(text);
    });
    t.log(`seed ${outcome.seed}: ${outcome.repeat}`);
    t.log(JSON.stringify(outcome.checked));
    t.true(outcome.passed, outcome.failure);
  });
}
