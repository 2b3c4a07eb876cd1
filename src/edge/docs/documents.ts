import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartError } from '../../core/failure.ts';
import type { Answer, Header } from '../http/answer.ts';
import { openApi } from './openapi.ts';

interface File {
  readonly from: 'own' | 'swagger-ui';
  readonly type: string;
  readonly headers: readonly Header[];
}

const html = 'text/html; charset=utf-8';
const css = 'text/css; charset=utf-8';
const script = 'text/javascript; charset=utf-8';

const strictPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** Swagger UI sets style attributes; nothing else is loosened, and nothing is loaded from elsewhere. */
const docsPolicy = strictPolicy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'");

const page = (policy: string): readonly Header[] => [
  ['Content-Security-Policy', policy],
  ['Referrer-Policy', 'no-referrer'],
  ['Cache-Control', 'no-cache'],
];
/** Names carry no version: a short life, so that an upgrade shows within the hour. */
const assetHeaders: readonly Header[] = [['Cache-Control', 'public, max-age=3600']];

const files: ReadonlyMap<string, File> = new Map([
  ['index.html', { from: 'own', type: html, headers: page(strictPolicy) }],
  ['home.css', { from: 'own', type: css, headers: assetHeaders }],
  ['home.js', { from: 'own', type: script, headers: assetHeaders }],
  ['docs.html', { from: 'own', type: html, headers: page(docsPolicy) }],
  ['docs.js', { from: 'own', type: script, headers: assetHeaders }],
  ['swagger-ui.css', { from: 'swagger-ui', type: css, headers: assetHeaders }],
  ['swagger-ui-bundle.js', { from: 'swagger-ui', type: script, headers: assetHeaders }],
]);

const nosniff: Header = ['X-Content-Type-Options', 'nosniff'];

/** The pages, their files and the description. Each is read once, when it is first asked for (1.6 MB in all). */
export class Documents {
  readonly #version: string;
  readonly #answers = new Map<string, Promise<Answer>>();

  constructor(version: string) {
    this.#version = version;
  }

  /** Null for a name that is not one of ours: nothing of a request ever becomes a file's path. */
  answer(name: string): Promise<Answer | null> {
    const known = this.#answers.get(name);
    if (known !== undefined) return known;
    const answer = name === 'openapi.json' ? Promise.resolve(describe(this.#version)) : fileAnswer(name);
    if (answer === null) return Promise.resolve(null);
    this.#answers.set(name, answer);
    answer.catch(() => this.#answers.delete(name));
    return answer;
  }
}

function describe(version: string): Answer {
  const headers: Header[] = [['Content-Type', 'application/json'], ['Cache-Control', 'no-cache'], nosniff];
  return { status: 200, headers, body: JSON.stringify(openApi(version)) };
}

function fileAnswer(name: string): Promise<Answer> | null {
  const file = files.get(name);
  if (file === undefined) return null;
  const directory = file.from === 'own' ? ownDirectory() : swaggerUiDirectory();
  return readFile(join(directory, name)).then((body) => ({
    status: 200,
    headers: [['Content-Type', file.type], nosniff, ...file.headers],
    body,
  }));
}

/** The same files serve the sources and the build: found from the package's root, wherever this module was compiled to. */
function ownDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new StartError('the package is incomplete: no package.json above its modules', 1);
    directory = parent;
  }
  return join(directory, 'src', 'edge', 'static');
}

function swaggerUiDirectory(): string {
  return dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
}
