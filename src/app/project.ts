import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Three up from build/src/app: the folder of package.json, in a clone and in an installed package alike. */
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A clone has the compiler's settings; an installed package has only what `files` lists. */
const isClone = existsSync(`${root}tsconfig.json`);

export const projectDirectory = root;

export const projectVersion: string = (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string })
  .version;

/** The words that run a command here: `rivulet up`, or in a clone `npm run rivulet -- up`. */
export function commandLine(words: string): string {
  return isClone ? `npm run rivulet -- ${words}` : `rivulet ${words}`;
}
