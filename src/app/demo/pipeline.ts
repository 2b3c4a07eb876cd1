import type { FileStorage } from '../../storage/file-storage.ts';
import { readDocument, type SourceDocument } from './documents.ts';
import { normaliseText, titleOf, withExtension } from './ingest.ts';
import { extractRoutines, type Routines } from './routines.ts';
import { type Summary, summarise, summaryMarkdown } from './summary.ts';

/** One execution: its share of the documents. */
export interface Job {
  readonly executionId: string;
  readonly documents: readonly SourceDocument[];
}

export interface PipelineOptions {
  readonly storage: FileStorage;
  /** Called after each object with its stage and path; waits as long as the pace wants. Its rejection ends the run. */
  readonly afterStep: (stage: string, path: string) => Promise<void>;
}

/** Objects that a job writes: three for each document, an index and the combined text. */
export const stepsOf = (job: Job): number => job.documents.length * 3 + 2;

const markdownType = 'text/markdown; charset=utf-8';
const jsonType = 'application/json';

const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

interface Finished {
  readonly name: string;
  readonly title: string;
  readonly markdown: string;
  readonly routines: Routines;
  readonly summary: Summary;
}

function indexOf(executionId: string, finished: readonly Finished[]): string {
  return jsonText({
    execution_id: executionId,
    documents: finished.map(({ name, title, markdown, routines, summary }) => ({
      source: name,
      title,
      text: `ingest/${withExtension(name, '.md')}`,
      routines: `boost/routines/${withExtension(name, '.json')}`,
      summary: `boost/summary/${withExtension(name, '.md')}`,
      characters: markdown.length,
      headings: routines.headings.length,
      code_blocks: routines.code_blocks.length,
      commands: routines.commands.length,
      keywords: summary.keywords,
    })),
  });
}

function combinedOf(finished: readonly Finished[]): string {
  const contents = finished.map(({ title }, index) => `${index + 1}. ${title}`).join('\n');
  const parts = finished.map(({ name, markdown, summary }) => {
    const lead = summary.sentences.map((sentence) => `> ${sentence}`).join('\n>\n');
    return `<!-- ${name} -->\n\n${lead}\n\n${markdown}`;
  });
  return `# Combined documents\n\n${contents}\n\n${parts.join('\n---\n\n')}`;
}

/**
 * Takes one job through the stages `ingest`, `boost/routines`, `boost/summary` (document by document) and `publish`.
 *
 * Fails with what stopped it: a DocumentError, a StorageError, a BusError, or the rejection of `afterStep`. What was written before stays.
 */
export async function runPipeline(job: Job, options: PipelineOptions): Promise<void> {
  const put = async (stage: string, path: string, content: string, source: string | null): Promise<void> => {
    const contentType = path.endsWith('.json') ? jsonType : markdownType;
    const metadata = source === null ? {} : { metadata: { source } };
    await options.storage.put({ executionId: job.executionId, stage, path, content, contentType, ...metadata });
    await options.afterStep(stage, path);
  };
  const finished: Finished[] = [];
  for (const document of job.documents) {
    const { name } = document;
    const markdown = normaliseText(name, await readDocument(document));
    await put('ingest', withExtension(name, '.md'), markdown, name);
    const routines = extractRoutines(name, markdown);
    await put('boost/routines', withExtension(name, '.json'), jsonText(routines), name);
    const summary = summarise(name, markdown);
    await put('boost/summary', withExtension(name, '.md'), summaryMarkdown(summary), name);
    finished.push({ name, title: titleOf(name, markdown), markdown, routines, summary });
  }
  await put('publish', 'index.json', indexOf(job.executionId, finished), null);
  await put('publish', 'combined.md', combinedOf(finished), null);
}
