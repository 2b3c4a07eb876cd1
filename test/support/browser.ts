import chromium from '@sparticuz/chromium';
import type { ExecutionContext, TestFn } from 'ava';
import { type Browser, chromium as driver } from 'playwright-core';

/**
 * A real headless Chromium, shipped inside an npm package (Linux on x64); closed at the end of the test, or by the caller when there is none.
 *
 * Not with that package's `args`: they hold `--disable-web-security`, and a cross-origin test that passes with it proves nothing.
 */
export async function openBrowser(t?: ExecutionContext): Promise<Browser> {
  const browser = await driver.launch({
    executablePath: await chromium.executablePath(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  t?.teardown(() => browser.close());
  return browser;
}

/** Why no browser runs here, or null. */
async function browserFault(): Promise<string | null> {
  try {
    await (await openBrowser()).close();
    return null;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
  }
}

/**
 * `test` where the browser runs. Where it does not, its tests are skipped and that is said aloud; with `CI=true` they run, and fail.
 */
export async function browserTest(test: TestFn): Promise<NamedTest> {
  const fault = process.env['CI'] === 'true' ? null : await browserFault();
  if (fault !== null) {
    process.stderr.write(`SKIPPED: the tests that need a browser, as Chromium does not run here: ${fault}\n`);
  }
  return (title, run) => {
    if (fault === null) test(title, run);
    else test.skip(title, run);
  };
}

export type NamedTest = (title: string, run: (t: ExecutionContext) => Promise<void>) => void;
