import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded with `--import`: the file system has no hard links, as FAT has none. With APPEARS set, somebody else's file has that name by the time that
 * one is asked for.
 */
class NoLinks extends Error {
  override readonly name = 'NoLinks';
  readonly code = 'EPERM';
}

const appears = process.env['APPEARS'];

fs.linkSync = () => {
  throw new NoLinks('operation not permitted');
};

if (appears !== undefined) {
  const open = fs.openSync;
  // Between the last look and the taking of the name.
  fs.openSync = (path, flags, mode) => {
    if (path === appears && flags === 'wx') fs.writeFileSync(appears, 'mine');
    return open(path, flags, mode);
  };
}

syncBuiltinESMExports();
