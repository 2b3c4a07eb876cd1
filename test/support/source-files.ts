import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The project's folder, from build/test/support. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** One TypeScript source, parsed without types. */
export interface SourceText {
  /** `src/core/clock.ts` */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly tree: ts.SourceFile;
  readonly imports: readonly ImportedModule[];
}

export interface ImportedModule {
  /** As written: `./clock.ts`, `node:fs`, `zod`. */
  readonly specifier: string;
  /** `src/core/clock.ts` for one of ours, the package's name for a vendor's. */
  readonly target: string;
  readonly kind: 'ours' | 'node' | 'vendor';
}

function packageOf(specifier: string): string {
  const [scope = '', name = ''] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

function importedBy(path: string, specifier: string): ImportedModule {
  if (specifier.startsWith('.')) {
    return { specifier, target: posix.join(posix.dirname(path), specifier), kind: 'ours' };
  }
  if (specifier.startsWith('node:')) return { specifier, target: specifier, kind: 'node' };
  return { specifier, target: packageOf(specifier), kind: 'vendor' };
}

/** Calls `visit` for every node of a tree, parents first. */
export function eachNode(tree: ts.Node, visit: (node: ts.Node) => void): void {
  visit(tree);
  ts.forEachChild(tree, (child) => {
    eachNode(child, visit);
  });
}

/** Static imports, re-exports, and dynamic imports of a literal. */
function importsOf(path: string, tree: ts.SourceFile): ImportedModule[] {
  const found: ImportedModule[] = [];
  const take = (node: ts.Node | undefined): void => {
    if (node !== undefined && ts.isStringLiteral(node)) found.push(importedBy(path, node.text));
  };
  eachNode(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) take(node.moduleSpecifier);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) take(node.arguments[0]);
  });
  return found;
}

function readSource(path: string): SourceText {
  const text = readFileSync(join(projectRoot, path), 'utf8');
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true, ts.ScriptKind.TS);
  return { path, text, lines: text.split('\n').length - 1, tree, imports: importsOf(path, tree) };
}

/** Every TypeScript source below the given folders of the project, in order of path. */
export function sourcesBelow(folders: readonly string[]): readonly SourceText[] {
  return folders
    .flatMap((folder) => {
      try {
        return readdirSync(join(projectRoot, folder), { withFileTypes: true, recursive: true });
      } catch {
        return [];
      }
    })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
    .map(readSource);
}

export const folderOf = (path: string): string => dirname(path);

/** `src/bus/journal/append.ts` to `bus`. */
export const roomOf = (path: string): string => path.split('/')[1] ?? '';
