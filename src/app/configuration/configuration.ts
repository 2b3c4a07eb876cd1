import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { StartError } from '../../core/failure.ts';
import {
  type CommandName,
  type Configuration,
  environmentName,
  isOptionName,
  type OptionName,
  optionNames,
  options,
} from './options.ts';
import type { RawValue } from './values.ts';

/** Where a value came from, for the message that refuses it. */
type Origin = 'flag' | 'environment' | 'file' | 'default';

interface Given {
  readonly raw: unknown;
  readonly origin: Origin;
}

export interface ConfigurationSources {
  /** Values of flags by option name; absent ones were not given. `config` names the file. */
  readonly flags: Readonly<Record<string, RawValue | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
}

/** Configuration as read, and which of its values somebody chose. */
export interface ReadConfiguration {
  readonly configuration: Configuration;
  readonly given: ReadonlySet<OptionName>;
}

const configFileDefault = 'rivulet.json';

/** The process's own environment: the one place that reads it for options. */
export const processEnvironment = (): ConfigurationSources['environment'] => process.env;

function quoted(value: unknown): string {
  const text =
    typeof value === 'string' ? `'${value}'` : ((JSON.stringify(value) as string | undefined) ?? String(value));
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

function refuse(message: string): never {
  throw new StartError(message, 2);
}

/** The nearest known name, when it is near enough to be what was meant. */
function suggestion(unknown: string, known: readonly string[]): string {
  const near = known.filter((name) => distance(unknown, name) <= 2 || (unknown.length > 3 && name.startsWith(unknown)));
  return near[0] === undefined ? '' : `; did you mean ${near[0]}?`;
}

/** Levenshtein's. Cost O(a x b) on option names, once, on the way out. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function readEnvironment(environment: ConfigurationSources['environment']): Map<OptionName, string> {
  const byVariable = new Map(optionNames.map((name) => [environmentName(name), name]));
  const values = new Map<OptionName, string>();
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('RIVULET_') || variable === 'RIVULET_CONFIG' || text === undefined) continue;
    const name = byVariable.get(variable);
    if (name === undefined) {
      refuse(`unknown environment variable ${variable}${suggestion(variable, [...byVariable.keys()])}`);
    }
    values.set(name, text);
  }
  return values;
}

const fileShape = z.record(z.string(), z.unknown());

function parseFile(path: string, text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.replaceAll('\n', ' ') : String(cause);
    throw new StartError(`${path} is not JSON: ${detail}`, 2, { cause });
  }
  const shape = fileShape.safeParse(parsed);
  if (!shape.success || Array.isArray(parsed)) refuse(`${path} must hold one JSON object of options`);
  return shape.data;
}

/** The file's values. A file that was named must exist; the default one may be absent. */
function readFile(sources: ConfigurationSources): { readonly path: string; readonly values: Map<OptionName, unknown> } {
  const named = sources.flags['config'] ?? sources.environment['RIVULET_CONFIG'];
  const path = resolve(sources.directory, typeof named === 'string' ? named : configFileDefault);
  const shown = typeof named === 'string' ? named : configFileDefault;
  const values = new Map<OptionName, unknown>();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    if (named === undefined && code === 'ENOENT') return { path: shown, values };
    throw new StartError(`config: ${quoted(shown)} cannot be read (${code}); it must be a JSON file`, 2, { cause });
  }
  for (const [key, value] of Object.entries(parseFile(shown, text))) {
    if (key === '$schema') continue;
    if (!isOptionName(key)) refuse(`unknown key ${quoted(key)} in ${shown}${suggestion(key, optionNames)}`);
    values.set(key, value);
  }
  return { path: shown, values };
}

function originText(name: OptionName, origin: Origin, filePath: string): string {
  switch (origin) {
    case 'flag':
      return `from the flag --${name}`;
    case 'environment':
      return `from the environment variable ${environmentName(name)}`;
    case 'file':
      return `from the file ${filePath}`;
    case 'default':
      return 'the default';
  }
}

/** 127.0.0.0/8, ::1 and localhost: what no other machine can reach. */
function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const family = isIP(host);
  if (family === 0) return false;
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8, 'ipv4');
  loopback.addAddress('::1', 'ipv6');
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function refuseOpenHosts(
  configuration: Configuration,
  command: CommandName,
  where: (name: OptionName) => string,
): void {
  if (configuration.insecure) return;
  for (const name of ['host', 'bus-host', 'ops-host'] as const) {
    const host = configuration[name];
    if (!(options[name].commands as readonly string[]).includes(command) || isLoopback(host)) continue;
    refuse(
      `${name}: ${quoted(host)} can be reached from other machines and there is no authentication; allowed: a loopback address, or add --insecure (${where(name)})`,
    );
  }
}

/**
 * Reads every option: flag before environment before file before default.
 *
 * Fails with a StartError of exit code 2 and one line: the name, the value, what is allowed, where it came from.
 */
export function readConfiguration(command: CommandName, sources: ConfigurationSources): ReadConfiguration {
  const environment = readEnvironment(sources.environment);
  const file = readFile(sources);
  const pick = (name: OptionName): Given => {
    const flag = sources.flags[name];
    if (flag !== undefined) return { raw: flag, origin: 'flag' };
    if (environment.has(name)) return { raw: environment.get(name), origin: 'environment' };
    if (file.values.has(name)) return { raw: file.values.get(name), origin: 'file' };
    return { raw: options[name].default, origin: 'default' };
  };
  const where = (name: OptionName): string => originText(name, pick(name).origin, file.path);
  const given = new Set<OptionName>();
  const entries = optionNames.map((name) => {
    const { raw, origin } = pick(name);
    if (origin !== 'default') given.add(name);
    const result = options[name].kind.schema.safeParse(raw);
    if (!result.success) {
      refuse(`${name}: ${quoted(raw)} is not allowed; allowed: ${options[name].kind.allowed} (${where(name)})`);
    }
    return [name, result.data] as const;
  });
  // One entry for each name of the table, each read by its own kind.
  const configuration = Object.fromEntries(entries) as unknown as Configuration;
  refuseOpenHosts(configuration, command, where);
  return { configuration, given };
}
