import type { CheckResult } from './runner.ts';

/** Characters of one value in a report: a stream's text can be long. */
const valueCharactersMax = 400;

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined ? 'undefined' : JSON.stringify(value);
  const line = text.replaceAll('\r', '\\r').replaceAll('\n', '\\n');
  return line.length > valueCharactersMax ? `${line.slice(0, valueCharactersMax)}… (${line.length} characters)` : line;
}

/** `PASS http/stream/ready-first (events: Frames)`; a failure has its reason, expected and got below it. */
export function linesOf(result: CheckResult): string[] {
  const { id, section, outcome, reason = '' } = result;
  const head = `${outcome.toUpperCase()} ${id} (${section})`;
  if (outcome === 'pass') return [head];
  if (outcome === 'skip') return [`${head}: ${reason}`];
  const lines = [head, `     ${shown(reason)}`];
  if ('expected' in result) lines.push(`     expected ${shown(result.expected)}`, `     got      ${shown(result.got)}`);
  return lines;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function countsOf(results: readonly CheckResult[]): Counts {
  const count = (outcome: CheckResult['outcome']): number => results.filter((one) => one.outcome === outcome).length;
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
}

export function summaryOf({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
