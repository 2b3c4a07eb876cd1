import { conformanceCases, failureOf } from '../cases.ts';
import { type Check, CheckFailure, CheckSkipped } from '../kit/check.ts';
import { type HttpDoor, isLoopback } from './door.ts';

/** The cases that came with the contract, a check each. */
export const validationChecks: readonly Check<HttpDoor>[] = conformanceCases().map((testCase) => ({
  id: `http/validation/${testCase.id}`,
  section: 'validation_cases.json',
  run: async ({ base }) => {
    if ('Host' in testCase.request.headers && !isLoopback(base)) {
      throw new CheckSkipped('the case names a host of its own, which only a loopback target has to take');
    }
    const failure = await failureOf(base.href, testCase);
    if (failure !== null) throw new CheckFailure(testCase.name, { expected: testCase.expect, got: failure });
  },
}));
