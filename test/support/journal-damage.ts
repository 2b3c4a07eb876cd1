import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./damage-record.js', import.meta.url));

/**
 * Takes a record of a journal away, or writes garbage in its place, behind the back of whoever has the journal open.
 *
 * In a process of its own: one process may open an LMDB file only once.
 */
export function damageRecord(directory: string, sequence: number, how: 'missing' | 'garbage'): Promise<void> {
  execFileSync(process.execPath, [program, directory, String(sequence), how], { stdio: 'inherit' });
  // LMDB's readers look anew on a later turn.
  return new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}
