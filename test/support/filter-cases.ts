import { type Filter, parseFilter } from '../../src/core/filter.ts';
import type { Random } from './seed.ts';

/** Few names, so that filters and events meet often; some are beginnings of others, some only look alike. */
const segments = [
  'a',
  'ab',
  'abc',
  'b',
  'A',
  '*',
  'a*',
  '.a',
  'a.',
  '...',
  'ü',
  '\u{1f680}',
  '\u{1f681}',
  '__proto__',
  'constructor',
];
const names = [
  'x',
  'x.md',
  'x.MD',
  'x.tar.gz',
  '.md',
  '.tar.gz',
  'a.b.c',
  'x.',
  'x..md',
  'md',
  'ab.md',
  'K.\u212a',
  'x.k',
];
const filterSegments = [...segments, '', '.', '..'];
const extensions = ['md', '.md', '.MD', 'gz', 'tar.gz', '.tar.gz', '.', '..md', 'c', '.b.c', 'k', 'x.md', '/x'];

export function randomStage(random: Random): string {
  return Array.from({ length: 1 + random.below(3) }, () => random.pick(segments)).join('/');
}

export function randomPath(random: Random): string {
  return [
    ...Array.from({ length: random.below(3) }, () => random.pick(segments)),
    random.pick(random.oneIn(6) ? segments : names),
  ].join('/');
}

function randomPrefix(random: Random, last: readonly string[]): string | null {
  if (random.oneIn(3)) return null;
  const pool = random.oneIn(8) ? filterSegments : segments;
  const parts = Array.from({ length: random.below(3) }, () => random.pick(pool));
  parts.push(random.pick(random.oneIn(3) ? last : pool));
  const text = parts.join('/');
  if (random.oneIn(4)) return `${text}*`;
  // Whole characters: a query is decoded as UTF-8 and never has half a surrogate pair.
  const characters = Array.from(text);
  if (random.oneIn(4)) return `${characters.slice(0, random.below(characters.length + 1)).join('')}*`;
  return random.oneIn(10) ? `/${text}//` : text;
}

export function randomFilter(random: Random): Filter {
  return parseFilter(
    randomPrefix(random, segments),
    randomPrefix(random, names),
    random.oneIn(2) ? random.pick(extensions) : null,
  );
}
