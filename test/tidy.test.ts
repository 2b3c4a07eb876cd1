import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import ts from 'typescript';
import { eachNode, folderOf, projectRoot, roomOf, type SourceText, sourcesBelow } from './support/source-files.ts';

/** The house rules that lint cannot be trusted with. Each ban names what to write instead; each exception its reason. */

const production = sourcesBelow(['src', 'workers']);
const tests = sourcesBelow(['test']);
const benches = sourcesBelow(['bench']);
const everything = [...production, ...tests, ...benches];

interface Ban {
  readonly what: string;
  readonly instead: string;
  readonly within: readonly SourceText[];
  readonly except?: readonly string[];
  readonly found: (node: ts.Node) => boolean;
}

const isName = (node: ts.Node, name: string): boolean => ts.isIdentifier(node) && node.text === name;

const isMember = (node: ts.Node, object: string, member?: string): boolean =>
  ts.isPropertyAccessExpression(node) &&
  isName(node.expression, object) &&
  (member === undefined || node.name.text === member);

const isCallOf = (node: ts.Node, name: string): boolean => ts.isCallExpression(node) && isName(node.expression, name);

const isNew = (node: ts.Node, name: string): node is ts.NewExpression =>
  ts.isNewExpression(node) && isName(node.expression, name);

const clockFile = ['src/core/clock.ts'];

const bans: readonly Ban[] = [
  {
    what: 'Date.now',
    instead: 'clock.wallMs() of a Clock that was handed in',
    within: production,
    except: clockFile,
    found: (node) => isMember(node, 'Date', 'now'),
  },
  {
    what: 'new Date() of the present',
    instead: 'new Date(clock.wallMs())',
    within: production,
    except: clockFile,
    found: (node) => isNew(node, 'Date') && (node.arguments?.length ?? 0) === 0,
  },
  {
    what: 'performance.now',
    instead: 'clock.monotonicMs() of a Clock that was handed in',
    within: production,
    except: clockFile,
    found: (node) => isMember(node, 'performance', 'now'),
  },
  {
    what: 'setTimeout, setInterval',
    instead: 'clock.after, clock.every or sleep(clock, …)',
    within: production,
    except: clockFile,
    found: (node) => isCallOf(node, 'setTimeout') || isCallOf(node, 'setInterval'),
  },
  {
    what: 'process.env',
    instead: 'an option of src/app/configuration/options.ts',
    within: production,
    // uWebSockets.js takes the bound on request heads only from the environment, before it is imported.
    except: ['src/app/configuration/configuration.ts', 'src/edge/uws.ts'],
    found: (node) => isMember(node, 'process', 'env'),
  },
  {
    what: 'Math.random',
    instead: 'node:crypto, or a seeded random that was handed in',
    within: everything,
    found: (node) => isMember(node, 'Math', 'random'),
  },
  {
    what: 'bare new Error',
    instead: 'a class with code and cause: core/failure.ts, core/assert.ts or your own',
    within: production,
    found: (node) => isNew(node, 'Error') || isCallOf(node, 'Error'),
  },
  {
    what: 'console.',
    instead: "the room's Log, or process.stdout.write in a command",
    within: production,
    found: (node) => isMember(node, 'console'),
  },
  {
    what: 'test.only',
    instead: 'ava --match while you work',
    within: tests,
    found: (node) =>
      ts.isPropertyAccessExpression(node) && node.name.text === 'only' && isName(node.expression, 'test'),
  },
];

function placesOf(source: SourceText, found: (node: ts.Node) => boolean): string[] {
  const places: string[] = [];
  eachNode(source.tree, (node) => {
    if (!found(node)) return;
    places.push(`${source.path}:${source.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
  });
  return places;
}

for (const ban of bans) {
  test(`no ${ban.what}: use ${ban.instead}`, (t) => {
    const places = ban.within
      .filter(({ path }) => !(ban.except ?? []).includes(path))
      .flatMap((source) => placesOf(source, ban.found));
    t.deepEqual(places, []);
  });
}

// Without this a ban that matches nothing at all would pass for ever.
test('every ban finds what it forbids', (t) => {
  const bad = `Date.now(); new Date(); performance.now(); setTimeout(f, 1); setInterval(f, 1); process.env.X; Math.random();
    new Error('x'); console.log(1); test.only('x', f);`;
  const tree = ts.createSourceFile('bad.ts', bad, ts.ScriptTarget.ES2023, true);
  const source = { path: 'bad.ts', text: bad, lines: 2, tree, imports: [] };
  t.deepEqual(
    bans.filter((ban) => placesOf(source, ban.found).length === 0).map(({ what }) => what),
    [],
  );
});

test('no catch-all file names: name the file after what it holds', (t) => {
  const catchAll = /(?:^|\/)(?:utils?|helpers?|common|types?|misc|shared|lib|index)\.(?:test\.)?ts$/;
  t.deepEqual(
    everything.filter(({ path }) => catchAll.test(path)).map(({ path }) => path),
    [],
  );
});

/** What a room may import beside itself. The rooms on the path meet in contract/ and are joined in app/ and workers/. */
const onPath = ['bus', 'upstream', 'window', 'dispatch', 'shard', 'edge'];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  contract: ['core'],
  wire: ['core', 'contract'],
  executions: ['core', 'contract', 'wire'],
  observe: ['core', 'contract'],
  storage: ['core', 'contract'],
  ...Object.fromEntries(onPath.map((room) => [room, ['core', 'contract', 'wire', 'observe']])),
  bus: ['core', 'contract', 'wire', 'executions', 'observe'],
  // The owner of the registry: a part of the dispatcher's thread with a folder of its own.
  registrar: ['core', 'contract', 'wire', 'executions', 'observe'],
  dispatch: ['core', 'contract', 'wire', 'executions', 'observe', 'registrar'],
};

test('rooms import only what they may: meet in contract/, be joined in app/', (t) => {
  const crossings = production.flatMap((source) => {
    const room = roomOf(source.path);
    const allowed = source.path.startsWith('src/') ? mayImport[room] : undefined;
    if (allowed === undefined) return [];
    return source.imports
      .filter(({ kind, target }) => kind === 'ours' && roomOf(target) !== room && !allowed.includes(roomOf(target)))
      .map(({ target }) => `${source.path} imports ${target}`);
  });
  t.deepEqual(crossings, []);
});

// Logic in contract/ would be code that nobody owns.
test('nothing in contract/ runs: only types', (t) => {
  const isType = (node: ts.Statement): boolean =>
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    (ts.isImportDeclaration(node) && node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) ||
    (ts.isExportDeclaration(node) && node.isTypeOnly);
  const running = production
    .filter(({ path }) => path.startsWith('src/contract/'))
    .flatMap((source) => source.tree.statements.filter((node) => !isType(node)).map(() => source.path));
  t.deepEqual(running, []);
});

/** Vendors that two rooms may import, and why. */
const sharedVendors: Readonly<Record<string, readonly string[]>> = {
  // Two schemas of two doors: what a request may say (edge), what an option may say (app).
  zod: ['app', 'edge'],
};

test('a vendor library has one importing room: ask that room for what you need', (t) => {
  const rooms = new Map<string, Set<string>>();
  for (const source of production.filter(({ path }) => path.startsWith('src/'))) {
    for (const { kind, target } of source.imports) {
      if (kind === 'vendor') rooms.set(target, (rooms.get(target) ?? new Set()).add(roomOf(source.path)));
    }
  }
  const shared = [...rooms].filter(
    ([vendor, importers]) =>
      importers.size > 1 && ![...importers].every((room) => (sharedVendors[vendor] ?? []).includes(room)),
  );
  t.deepEqual(
    shared.map(([vendor, importers]) => `${vendor}: ${[...importers].join(', ')}`),
    [],
  );
});

test('every limit carries its reason', (t) => {
  const limits = production.find(({ path }) => path === 'src/core/limits.ts');
  t.truthy(limits);
  const lines = limits?.text.split('\n') ?? [];
  // A limit directly below another belongs to its comment; an empty line ends that.
  const bare = lines.filter((line, index) => {
    if (!line.startsWith('export const ')) return false;
    const above = lines[index - 1] ?? '';
    return !/\*\/$|^export const |^\];?|^\} as const;$/.test(above);
  });
  t.deepEqual(bare, []);
});

const linesMax = 300;
const testLinesMax = 500;

test(`files stay within ${linesMax} lines, tests within ${testLinesMax}: find the second job`, (t) => {
  const over = everything
    .filter(({ path, lines }) => lines > (path.startsWith('test/') ? testLinesMax : linesMax))
    .map(({ path, lines }) => `${path}: ${lines}`);
  t.deepEqual(over, []);
});

const roomFilesMax = 8;

/** Folders that hold more files than that, how many they may, and why they are still one thing. */
const largerRooms: Readonly<Record<string, { readonly max: number; readonly reason: string }>> = {
  'src/core': { max: 12, reason: 'words of the domain, a small file each, none of which knows the others’ rooms' },
  'src/contract': { max: 12, reason: 'a file for each door between two rooms or threads; nothing in it runs' },
};

test(`a folder holds at most ${roomFilesMax} files: find the second room`, (t) => {
  const counts = new Map<string, number>();
  for (const { path } of production) counts.set(folderOf(path), (counts.get(folderOf(path)) ?? 0) + 1);
  const over = [...counts].filter(([folder, count]) => count > (largerRooms[folder]?.max ?? roomFilesMax));
  t.deepEqual(
    over.map(([folder, count]) => `${folder}: ${count}`),
    [],
  );
});

test('every source is imported by another: delete what nobody uses', (t) => {
  const imported = new Set(
    production.flatMap(({ path, imports }) =>
      imports.filter(({ target }) => target !== path).map(({ target }) => target),
    ),
  );
  // Started by its path, as a process or a thread of its own.
  const started = (path: string): boolean =>
    production.some(
      (source) => source.path !== path && source.text.includes(path.slice(path.lastIndexOf('/') + 1, -3) + '.js'),
    );
  const entries = new Set(['src/app/main.ts']);
  const orphans = production
    .map(({ path }) => path)
    .filter(
      (path) =>
        path.startsWith('src/') &&
        !path.endsWith('.d.ts') &&
        !entries.has(path) &&
        !imported.has(path) &&
        !started(path),
    );
  t.deepEqual(orphans, []);
});

const pages = readdirSync(join(projectRoot, 'docs')).filter((name) => name.endsWith('.md'));
const documents = ['README.md', ...pages.map((name) => `docs/${name}`)];

/** What a document names of the project: every path from the root, and every source whose folder it leaves to the reader. Results of benches are made. */
function pathsNamedIn(text: string): string[] {
  const paths = text.matchAll(
    /(?<![\w/.-])(?:\.\.\/)?((?:bench|docs|proto|src|test|workers)\/(?!results\b)[\w./-]*\w)/g,
  );
  const bare = text.matchAll(/`([\w.-]+\.ts)`/g);
  return [...paths, ...bare].map(([, path = '']) => path);
}

// A check that is named and does not exist is worse than none: the reader stops looking.
test('what the documents name exists, by its whole path: move the name with the file', (t) => {
  t.deepEqual(pathsNamedIn('[src/a.ts](../src/a.ts), `b.test.ts`, ./build/test/c.js'), [
    'src/a.ts',
    'src/a.ts',
    'b.test.ts',
  ]);
  const missing = documents.flatMap((document) =>
    pathsNamedIn(readFileSync(join(projectRoot, document), 'utf8'))
      .filter((path) => !existsSync(join(projectRoot, path)))
      .map((path) => `${document}: ${path}`),
  );
  t.deepEqual(missing, []);
});

const workerLinesMax = 40;

test(`a worker entry is a plug of at most ${workerLinesMax} lines that somebody starts`, (t) => {
  const workers = production.filter(({ path }) => path.startsWith('workers/'));
  const long = workers.filter(({ lines }) => lines > workerLinesMax).map(({ path, lines }) => `${path}: ${lines}`);
  t.deepEqual(long, []);
  const unused = workers
    .map(({ path }) => path.replace('workers/', '').replace(/\.ts$/, ''))
    .filter((name) => !production.some(({ path, text }) => path.startsWith('src/') && text.includes(name)));
  t.deepEqual(unused, []);
});
