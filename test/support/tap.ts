export interface TapCounts {
  readonly passed: number;
  readonly failed: number;
  /** Skipped tests and those still to be written. */
  readonly skipped: number;
  readonly failures: readonly { readonly title: string; readonly detail: string }[];
}

const resultLine = /^(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$/i;

/**
 * Reads the TAP that ava writes, one line at a time. Each result is shown as it comes; the YAML below a failure is kept as its detail.
 *
 * @param show where a readable line goes
 */
export async function readTap(lines: AsyncIterable<string>, show: (line: string) => void): Promise<TapCounts> {
  let passed = 0;
  let skipped = 0;
  const failures: { title: string; detail: string }[] = [];
  let detail: string[] | null = null;
  for await (const line of lines) {
    const result = resultLine.exec(line);
    if (result !== null) {
      const [, not, title = 'unnamed', directive] = result;
      detail = null;
      if (directive !== undefined) {
        skipped += 1;
        show(`  - ${title}`);
      } else if (not === undefined) {
        passed += 1;
        show(`  ✔ ${title}`);
      } else {
        detail = [];
        failures.push({ title, detail: '' });
        show(`  ✘ ${title}`);
      }
    } else if (detail !== null && /^\s/.test(line) && !/^\s*(?:---|\.\.\.)$/.test(line)) {
      detail.push(line);
      const last = failures.at(-1);
      if (last !== undefined) last.detail = detail.join('\n');
    }
  }
  return { passed, failed: failures.length, skipped, failures };
}
