import type { Owner } from '../support/system.ts';

/** An owner for a program that no test has started; `finish` ends what it owns, last first. */
export function looseOwner(): Owner & { finish(): Promise<void> } {
  const finishers: (() => unknown)[] = [];
  return {
    teardown(finish) {
      finishers.push(finish);
    },
    async finish() {
      for (const finish of finishers.splice(0).reverse()) await finish();
    },
  };
}
