import { fileURLToPath } from 'node:url';

/** A file of the project, from the compiled place of this one: build/bench. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
