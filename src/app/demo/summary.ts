import { titleOf } from './ingest.ts';

/** Words that say nothing about what a text is about. */
const stopWords = new Set(
  (
    'about above after again all also and any are because been before being below between both but can could did does doing down ' +
    'during each few for from further had has have having here how into its itself just more most must nor not now off once one only ' +
    'other our out over own same should some such than that the their them then there these they this those through too two under until ' +
    'use used uses using very was were what when where which while who why will with within without would you your'
  ).split(' '),
);

export interface Summary {
  readonly title: string;
  readonly keywords: readonly string[];
  /** The chosen sentences in the order of the text. */
  readonly sentences: readonly string[];
  readonly sentenceCount: number;
}

/** Running text of Markdown: no code, no tables, no headings, links as their words. Each paragraph and list item ends a sentence. */
function proseOf(markdown: string): string[] {
  const plain = markdown
    .replace(/^ {0,3}(`{3,}|~{3,})[\s\S]*?^ {0,3}\1/gm, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^\s*(?:#{1,6}\s.*|\|.*|[-=*_]{3,})$/gm, '')
    .replace(/^\s*(?:[-*+]|\d+[.)])\s+/gm, '\n')
    .replace(/^\s*>\s?/gm, '')
    .replace(/[*_`]{1,3}(\S(?:.*?\S)?)[*_`]{1,3}/g, '$1');
  return plain
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, ' ').trim())
    .filter((paragraph) => paragraph !== '');
}

function sentencesOf(markdown: string): string[] {
  return proseOf(markdown)
    .flatMap((paragraph) => paragraph.split(/(?<=[.!?])\s+(?=[\p{Lu}\d"'(])/u))
    .filter((sentence) => wordsOf(sentence).length >= 4);
}

const wordsOf = (text: string): string[] =>
  (text.toLowerCase().match(/\p{L}[\p{L}\p{N}-]{2,}/gu) ?? []).filter((word) => !stopWords.has(word));

function frequencies(sentences: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of sentences.flatMap(wordsOf)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Mean weight of its words, damped by length, with a little for standing early: first sentences introduce. */
function scoreOf(sentence: string, place: number, counts: ReadonlyMap<string, number>): number {
  const words = new Set(wordsOf(sentence));
  let weight = 0;
  for (const word of words) weight += Math.log1p((counts.get(word) ?? 1) - 1);
  return (weight / Math.sqrt(words.size + 3)) * (1 + 0.3 / (1 + place));
}

const sentencesMin = 2;
const sentencesMax = 7;

/**
 * Extractive summary by term frequency: about a sixth of the sentences, two to seven, those whose words the text uses most.
 * Cost O(words); deterministic.
 */
export function summarise(name: string, markdown: string): Summary {
  const sentences = sentencesOf(markdown);
  const counts = frequencies(sentences);
  const wanted = Math.min(sentencesMax, Math.max(sentencesMin, Math.round(sentences.length / 6)));
  const ranked = sentences
    .map((sentence, place) => ({ sentence, place, score: scoreOf(sentence, place, counts) }))
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .slice(0, wanted)
    .sort((a, b) => a.place - b.place);
  const keywords = [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, 6)
    .map(([word]) => word);
  return {
    title: titleOf(name, markdown),
    keywords,
    sentences: ranked.map(({ sentence }) => sentence),
    sentenceCount: sentences.length,
  };
}

export function summaryMarkdown(summary: Summary): string {
  const { title, keywords, sentences, sentenceCount } = summary;
  const lines = sentences.length === 0 ? ['No running text.'] : sentences.map((sentence) => `- ${sentence}`);
  return `# Summary of ${title}\n\nKeywords: ${keywords.join(', ') || 'none'}\n\n${lines.join('\n')}\n\n${sentences.length} of ${sentenceCount} sentences.\n`;
}
