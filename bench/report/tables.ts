import type { Figure } from '../harness.ts';
import type { Result } from './result.ts';

/** What stands between these two lines of docs/BENCHMARKS.md is made from the results, and only from them. */
export const tablesBegin = '<!-- tables: made by `npm run bench:report`, not by hand -->';
export const tablesEnd = '<!-- end of tables -->';

/** Figures with three digits that count, large ones by their thousands. */
export function shownNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 9_995) return `${(value / 1e3).toPrecision(3)} k`;
  if (size >= 100) return Math.round(value).toString();
  return value === 0 ? '0' : value.toPrecision(size >= 1 ? 3 : 2);
}

function cell(figure: Figure | undefined): string {
  if (figure === undefined) return '';
  const { median, min, max, runs } = figure;
  const spread = runs > 1 ? ` (${shownNumber(min)} to ${shownNumber(max)})` : '';
  return `${shownNumber(median)}${spread}`;
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const title = ({ name, unit }: Figure): string => (unit === '' ? name : `${name}, ${unit}`);

/** A row for each that was measured, a column for each figure. */
function comparison(figures: readonly Figure[]): string[] {
  const names = [...new Map(figures.map((figure) => [figure.name, title(figure)]))];
  const subjects = [...new Set(figures.map(({ of }) => of))];
  if (names.length === 0) return [];
  const find = (subject: string | undefined, name: string): Figure | undefined =>
    figures.find((figure) => figure.of === subject && figure.name === name);
  return [
    row(['', ...names.map(([, shown]) => shown)]),
    row(['---', ...names.map(() => '---')]),
    ...subjects.map((subject) => row([subject ?? '', ...names.map(([name]) => cell(find(subject, name)))])),
    '',
  ];
}

function list(figures: readonly Figure[]): string[] {
  if (figures.length === 0) return [];
  const rows = figures.map((figure) => row([title(figure), cell(figure)]));
  return [row(['', 'median (least to most)']), row(['---', '---']), ...rows, ''];
}

function tableOf({ bench, at, command, loadAverage, versions, figures, unmeasured }: Result): string {
  const runs = Math.max(...figures.map((figure) => figure.runs));
  const load = loadAverage[0]?.toFixed(1) ?? 'not known';
  return [
    `### ${bench}`,
    '',
    `\`${command}\`, ${at.slice(0, 16).replace('T', ' ')}, ${runs === 1 ? 'one run' : `${runs} runs`}, load average ${load}.`,
    ...(versions.length > 0 ? [`Versions: ${versions.join('; ')}.`] : []),
    ...unmeasured.map(({ what, reason }) => `**Not measured**: ${what}: ${reason}.`),
    '',
    ...comparison(figures.filter(({ of }) => of !== undefined)),
    ...list(figures.filter(({ of }) => of === undefined)),
  ].join('\n');
}

/** All of them, and what they were measured on. */
export function tables(results: readonly Result[]): string {
  const machines = new Set(
    results.map(({ machine, pinning }) =>
      [
        `${machine.cores} x ${machine.model}`,
        `${machine.memoryGiB} GiB`,
        `Linux ${machine.kernel}`,
        `Node ${machine.node}`,
        pinning,
      ].join(', '),
    ),
  );
  return [...[...machines].map((machine) => `Machine: ${machine}.\n`), ...results.map(tableOf)].join('\n').trimEnd();
}

/** The document with the tables of these results in the place of those that it had. */
export function withTables(document: string, results: readonly Result[]): string {
  const [before, rest] = document.split(tablesBegin);
  const after = rest?.split(tablesEnd)[1];
  if (before === undefined || after === undefined) return document;
  return `${before}${tablesBegin}\n\n${tables(results)}\n\n${tablesEnd}${after}`;
}
