import chromium from '@sparticuz/chromium';
import type { ExecutionContext } from 'ava';
import { type Browser, chromium as driver } from 'playwright-core';

/**
 * A real headless Chromium, shipped inside an npm package; closed at the end of the test, or by the caller when there is none.
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
