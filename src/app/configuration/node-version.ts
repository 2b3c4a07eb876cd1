/** Majors for which the uWebSockets.js package of package.json carries a binary. */
const supportedMajors: readonly string[] = ['20', '22'];

/** Why this Node.js cannot run the program, as one sentence, or null. */
export function nodeVersionFault(version: string): string | null {
  const major = version.split('.')[0] ?? '';
  if (supportedMajors.includes(major)) return null;
  return `Node.js ${version} cannot run it, because uWebSockets.js has binaries only for Node.js ${supportedMajors.join(' and ')} here; install one of them, 22 for preference.`;
}
