export interface Heading {
  readonly level: number;
  readonly text: string;
  readonly line: number;
}

export interface CodeBlock {
  readonly language: string;
  readonly line: number;
  readonly lines: number;
  readonly code: string;
}

/** What a reader could run or look up in a document. */
export interface Routines {
  readonly document: string;
  readonly headings: readonly Heading[];
  readonly code_blocks: readonly CodeBlock[];
  /** Lines of shell blocks, prompts removed, comments left out. */
  readonly commands: readonly string[];
}

const shells = new Set(['sh', 'bash', 'shell', 'console', 'zsh']);

function commandsOf(block: CodeBlock): string[] {
  const lines = block.code.split('\n').map((line) => line.trim());
  const prompted = lines.some((line) => line.startsWith('$ '));
  // Where prompts are shown, the other lines are output.
  const typed = prompted ? lines.filter((line) => line.startsWith('$ ')) : lines;
  return typed.map((line) => line.replace(/^\$ /, '')).filter((line) => line !== '' && !line.startsWith('#'));
}

interface Fence {
  readonly mark: string;
  readonly language: string;
  readonly line: number;
  readonly code: string[];
}

const fenceLine = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/;

const headingOf = (text: string, line: number): Heading | null => {
  const found = /^(#{1,6})\s+(.*?)\s*#*$/.exec(text);
  return found === null ? null : { level: found[1]?.length ?? 1, text: found[2] ?? '', line };
};

const opened = ([, mark = '', language = '']: RegExpExecArray, line: number): Fence => ({
  mark,
  language: language.toLowerCase(),
  line,
  code: [],
});

/** A fence ends with its own mark, as long or longer, and nothing behind it. */
const closes = (fence: Fence, marks: RegExpExecArray | null): boolean =>
  marks?.[1]?.startsWith(fence.mark) === true && marks[2] === '';

const blockOf = ({ language, line, code }: Fence): CodeBlock => ({
  language,
  line,
  lines: code.length,
  code: code.join('\n'),
});

/** Walks Markdown once: headings outside fences, fenced blocks whole. An unclosed fence runs to the end, as CommonMark has it. */
export function extractRoutines(document: string, markdown: string): Routines {
  const headings: Heading[] = [];
  const blocks: CodeBlock[] = [];
  let fence: Fence | null = null;
  for (const [index, text] of markdown.split('\n').entries()) {
    const marks = fenceLine.exec(text);
    if (fence === null) {
      const heading = headingOf(text, index + 1);
      if (marks !== null) fence = opened(marks, index + 1);
      else if (heading !== null) headings.push(heading);
    } else if (closes(fence, marks)) {
      blocks.push(blockOf(fence));
      fence = null;
    } else fence.code.push(text);
  }
  if (fence !== null) blocks.push(blockOf(fence));
  const commands = blocks.filter((block) => shells.has(block.language)).flatMap(commandsOf);
  return { document, headings, code_blocks: blocks, commands };
}
