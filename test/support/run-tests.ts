import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import chromium from '@sparticuz/chromium';
import { readTap } from './tap.ts';

/**
 * Runs ava over the compiled tests, shows what failed, and ends with the line `N passed, N failed, N skipped` of the true counts.
 * Arguments go to ava: `npm test -- build/test/app/*.test.js`.
 */

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What the compiler wrote for a source that is gone: it would be run, and imported, for ever. */
function removeStale(): void {
  for (const top of ['src', 'workers', 'test', 'bench']) {
    const folder = join(root, 'build', top);
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      const built = join(entry.parentPath, entry.name);
      const source = join(root, built.slice(join(root, 'build').length + 1).replace(/\.js(?:\.map)?$/, '.ts'));
      if (entry.isFile() && /\.js(?:\.map)?$/.test(entry.name) && !existsSync(source)) rmSync(built);
    }
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The browser unpacks itself at its first use; two test processes that do so at once would run half of a file. Where it cannot, its tests say so. */
async function unpackBrowser(): Promise<void> {
  await chromium.executablePath().catch(() => undefined);
}

async function run(): Promise<number> {
  removeStale();
  await unpackBrowser();
  const ava = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const child = spawn(process.execPath, [ava, '--tap', ...process.argv.slice(2)], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise<number>((resolve) =>
    child.once('close', (code) => {
      resolve(code ?? 1);
    }),
  );
  const counts = await readTap(createInterface({ input: child.stdout }), say);
  const code = await closed;
  for (const failure of counts.failures) say(`\n✘ ${failure.title}\n${failure.detail}`);
  if (code !== 0 && counts.failed === 0) say(`\nava ended with code ${code} although no test failed`);
  say(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return code === 0 && counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

process.exitCode = await run();
