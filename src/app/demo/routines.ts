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

/** Walks Markdown once: headings outside fences, fenced blocks whole. An unclosed fence runs to the end, as CommonMark has it. */
export function extractRoutines(document: string, markdown: string): Routines {
  const headings: Heading[] = [];
  const blocks: CodeBlock[] = [];
  let fence: {
    readonly mark: string;
    readonly language: string;
    readonly line: number;
    readonly code: string[];
  } | null = null;
  const close = (): void => {
    if (fence === null) return;
    const { language, line, code } = fence;
    blocks.push({ language, line, lines: code.length, code: code.join('\n') });
    fence = null;
  };
  for (const [index, text] of markdown.split('\n').entries()) {
    const opening = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/.exec(text);
    if (fence !== null) {
      const closing = opening?.[1];
      if (closing?.startsWith(fence.mark) === true && opening?.[2] === '') close();
      else fence.code.push(text);
    } else if (opening !== null) {
      fence = { mark: opening[1] ?? '', language: (opening[2] ?? '').toLowerCase(), line: index + 1, code: [] };
    } else {
      const found = /^(#{1,6})\s+(.*?)\s*#*$/.exec(text);
      if (found !== null) headings.push({ level: found[1]?.length ?? 1, text: found[2] ?? '', line: index + 1 });
    }
  }
  close();
  const commands = blocks.filter((block) => shells.has(block.language)).flatMap(commandsOf);
  return { document, headings, code_blocks: blocks, commands };
}
