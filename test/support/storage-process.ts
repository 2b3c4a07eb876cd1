import { systemClock } from '../../src/core/clock.ts';
import { FileStorage } from '../../src/storage/file-storage.ts';

/** Writes the same large object again and again, each time of another letter, until it is killed; a dot on standard output for each. */
const storage = new FileStorage({
  root: process.argv[2] ?? '',
  clock: systemClock,
  publisher: { publish: () => Promise.resolve(['id']), close: () => Promise.resolve() },
});

for (let round = 0; ; round += 1) {
  const content = String.fromCharCode(97 + (round % 26)).repeat(8_000_000);
  const executionId = '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10';
  await storage.put({ executionId, stage: 'stage', path: 'object', content, contentType: 'text/plain' });
  process.stdout.write('.');
}
