const heading = /^#{1,6}\s+\S/m;

const baseName = (name: string): string => name.slice(name.lastIndexOf('/') + 1).replace(/\.[^.]+$/, '');

/** `notes/a.txt` to `notes/a.md`. */
export const withExtension = (name: string, extension: string): string => name.replace(/\.[^./]+$/, '') + extension;

/**
 * Any text document as clean Markdown: LF line ends, composed Unicode, no trailing spaces, no runs of empty lines, one line end at the end,
 * and a title when it has no heading.
 */
export function normaliseText(name: string, text: string): string {
  const clean = text
    .normalize('NFC')
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
  const titled = heading.test(clean) ? clean : `# ${baseName(name)}\n\n${clean}`;
  return `${titled.trimEnd()}\n`;
}

/** The text of the first heading; the file's name when there is none. */
export function titleOf(name: string, markdown: string): string {
  return /^#{1,6}\s+(.*?)\s*#*$/m.exec(markdown)?.[1] ?? baseName(name);
}
