#!/usr/bin/env node
import { nodeVersionFault } from './configuration/node-version.ts';

// Nothing else may be imported statically: a dependency that cannot load here would answer with a stack trace first.
const fault = nodeVersionFault(process.versions.node);
if (fault === null) {
  const { runCommandLine } = await import('./command-line.ts');
  process.exitCode = await runCommandLine(process.argv.slice(2));
} else {
  process.stderr.write(`rivulet: ${fault}\n`);
  process.exitCode = 1;
}
