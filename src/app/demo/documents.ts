import { type Dirent, existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { StartError } from '../../core/failure.ts';
import { demoDocumentBytesMax, demoDocumentsMax } from '../../core/limits.ts';
import { projectDirectory } from '../project.ts';

/** One document of the input folder. */
export interface SourceDocument {
  /** Where it is read from. */
  readonly file: string;
  /** Its name below the input folder, `/`-separated. */
  readonly name: string;
}

/** A document that the pipeline cannot take; its execution fails with this as the reason. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  readonly document: string;
  constructor(document: string, detail: string, options?: ErrorOptions) {
    super(`${document}: ${detail}`, options);
    this.document = document;
  }
}

const isDocument = (name: string): boolean => /\.(?:md|markdown|txt)$/i.test(name);

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true, recursive: true });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new StartError(`input: '${folder}' is not allowed; allowed: a folder that can be read (${code})`, 2, {
      cause,
    });
  }
}

const isHidden = (name: string): boolean =>
  name.split('/').some((segment) => segment.startsWith('.') || segment === 'node_modules');

/** The documents below a folder in order of name. Links are not followed; hidden folders and node_modules are left out. */
export async function documentsIn(folder: string): Promise<readonly SourceDocument[]> {
  const found: SourceDocument[] = [];
  for (const entry of await entriesOf(folder)) {
    const file = join(entry.parentPath, entry.name);
    const name = relative(folder, file).split(sep).join('/');
    if (entry.isFile() && isDocument(name) && !isHidden(name)) found.push({ file, name });
  }
  if (found.length === 0) {
    throw new StartError(`input: '${folder}' has no documents; allowed: a folder with .md, .markdown or .txt files`, 2);
  }
  if (found.length > demoDocumentsMax) {
    throw new StartError(`input: '${folder}' has ${found.length} documents; allowed: at most ${demoDocumentsMax}`, 2);
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The project's own documents: those beside package.json and those in docs/. */
export async function projectDocuments(): Promise<readonly SourceDocument[]> {
  const beside = ['README.md', 'CHANGELOG.md']
    .map((name) => ({ file: join(projectDirectory, name), name }))
    .filter(({ file }) => existsSync(file));
  const docs = join(projectDirectory, 'docs');
  const below = existsSync(docs) ? await documentsIn(docs) : [];
  return [...beside, ...below.map(({ file, name }) => ({ file, name: `docs/${name}` }))];
}

/** The text of a document. Fails with a DocumentError when it cannot be read, is too large or is not UTF-8. */
export async function readDocument(document: SourceDocument): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(document.file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new DocumentError(document.name, `cannot be read (${code})`, { cause });
  }
  if (bytes.length > demoDocumentBytesMax) {
    throw new DocumentError(document.name, `is ${bytes.length} bytes, at most ${demoDocumentBytesMax} are taken`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DocumentError(document.name, 'is not UTF-8 text', { cause });
  }
}
