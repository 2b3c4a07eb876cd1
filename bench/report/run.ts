import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { projectFile } from '../project-file.ts';
import { readResults } from './result.ts';
import { withTables } from './tables.ts';

/**
 * `npm run bench:report`: what bench/results holds is published. Copies it over what docs/measured has of the same benches, and makes the tables of
 * docs/BENCHMARKS.md from docs/measured.
 */
const published = projectFile('docs/measured');
const document = projectFile('docs/BENCHMARKS.md');

mkdirSync(published, { recursive: true });
for (const { bench } of readResults(projectFile('bench/results'))) {
  copyFileSync(projectFile(`bench/results/${bench}.json`), `${published}/${bench}.json`);
}
const results = readResults(published);
writeFileSync(document, withTables(readFileSync(document, 'utf8'), results));
process.stdout.write(`docs/BENCHMARKS.md: tables of ${results.length} benches\n`);
