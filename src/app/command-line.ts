import { Command, CommanderError, Option } from 'commander';
import { StartError } from '../core/failure.ts';
import { exitDefect } from './commands/lifecycle.ts';
import { processEnvironment, type ReadConfiguration, readConfiguration } from './configuration/configuration.ts';
import { type CommandName, environmentName, optionNames, options } from './configuration/options.ts';
import type { RawValue } from './configuration/values.ts';
import { commandLine, projectVersion } from './project.ts';

type Flags = Readonly<Record<string, unknown>>;

/** What a command's action gets: its configuration and the flags that are data rather than options. */
export interface Invocation extends ReadConfiguration {
  readonly flags: Flags;
}

/** An exit code: 0 done, 1 the world's state, 2 the caller's words, 70 a defect, 130 and 143 a signal. */
type Action = (invocation: Invocation, argument: string | undefined) => Promise<number>;

const exitCodes = `

Exit codes: 0 done or stopped in order; 1 something outside stands in the way (port taken, bus away); 2 a bad
option or bad input; 70 a defect, closed in order; 130 or 143 stopped at once by a second signal; 134 aborted by a
thread that ended with sockets open; 137 killed: by itself when a thread was stuck or a stop took longer than 10 s, by
the system when memory was short, or by kill -9. With --supervise: the code of the last child.`;

const precedence = `
Each option is also an environment variable (--bus-port is RIVULET_BUS_PORT) and a key of the JSON file given by
--config ("bus-port": 50051), by default rivulet.json in the current directory. A flag goes before the
environment, that before the file, that before the default. Sizes: 64MiB, 10GiB. Durations: 90s, 12h, 7d.
`;

function examples(lines: readonly (readonly [words: string, purpose: string])[]): string {
  return `\nExamples:\n${lines.map(([words, purpose]) => `  ${commandLine(words)}\n      ${purpose}`).join('\n')}`;
}

/** Flags as commander names them (camelCase) to the names of the table. */
const camelCase = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

function addOptions(command: Command, name: CommandName): void {
  command.addOption(new Option('--config <file>', 'JSON file of options (RIVULET_CONFIG)'));
  for (const key of optionNames) {
    const { kind, help, default: defaultValue, commands } = options[key];
    if (!(commands as readonly string[]).includes(name)) continue;
    const shown = String(defaultValue) === '' ? 'none' : String(defaultValue);
    const flag = kind.placeholder === null ? `--${key}` : `--${key} <${kind.placeholder}>`;
    const made = new Option(flag, `${help} (default ${shown}; ${environmentName(key)})`);
    if (kind.list)
      made.argParser((text: string, before: string | undefined) => (before === undefined ? text : `${before},${text}`));
    command.addOption(made);
  }
}

function optionFlags(flags: Flags): Record<string, RawValue | undefined> {
  return Object.fromEntries(
    ['config', ...optionNames].map((name) => [name, flags[camelCase(name)] as RawValue | undefined]),
  );
}

/** Builds the commands; the chosen one's action leaves its exit code in `done`. */
function buildProgram(done: (code: number) => void): Command {
  const program = new Command('rivulet');
  program
    .description('A storage event bus and its router: GET /api/v1/storage/events is a filtered, resumable stream.')
    .version(projectVersion, '--version', 'show the version')
    .helpOption('--help', 'show help')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, outputError: () => undefined })
    .addHelpText(
      'after',
      examples([
        ['up', 'bus and router in one process, then http://127.0.0.1:8080'],
        ['demo', 'a small document pipeline, to see events arrive'],
        ['up --help', 'the options of one command'],
      ]) + exitCodes,
    );
  const define = (name: CommandName, description: string, action: Action): Command => {
    const command = program.command(name).description(description).helpOption('--help', 'show help');
    command.copyInheritedSettings(program);
    addOptions(command, name);
    if (options.supervise.commands.some((server) => server === name)) {
      command.addOption(new Option('--supervised', 'said by --supervise to its child').hideHelp());
    }
    command.action(async (...given: unknown[]) => {
      const flags = command.opts<Flags>();
      const sources = {
        flags: optionFlags(flags),
        environment: processEnvironment(),
        directory: process.cwd(),
      };
      const read = readConfiguration(name, sources);
      done(await action({ ...read, flags }, typeof given[0] === 'string' ? given[0] : undefined));
    });
    return command;
  };
  defineServers(define);
  defineClients(define);
  return program;
}

type Define = (name: CommandName, description: string, action: Action) => Command;

/** The command itself, or with `--supervise` a parent process of it. A child of one serves, whatever the options say. */
async function serveOrSupervise(
  command: 'up' | 'bus' | 'router',
  { configuration, flags }: Invocation,
): Promise<number> {
  const supervised = flags['supervised'] === true;
  if (configuration.supervise && !supervised) {
    return (await import('./supervision/supervise.ts')).supervise(process.argv.slice(2), configuration);
  }
  const { serve } = await import('./commands/serve.ts');
  return serve(command, configuration, { restored: flags['restored'] === true, supervised });
}

// Each action loads its own part: `publish` on a laptop need not load sockets and journals.
function defineServers(define: Define): void {
  define('up', 'Run bus and router in one process.', (invocation) => serveOrSupervise('up', invocation)).addHelpText(
    'after',
    precedence +
      examples([
        ['up', 'on loopback, data in .rivulet/'],
        ['up --supervise', 'started again when it breaks'],
        ['up --port 0 --bus-port 0 --ops-port 0', 'on free ports, said in the ready line'],
        ['up --engine memory --retention-age 1h', 'nothing is kept on disk'],
      ]),
  );
  define('bus', 'Run only the gRPC bus and its journal.', async ({ configuration, flags, given }) =>
    typeof flags['backup'] === 'string'
      ? (await import('./commands/backup.ts')).backup(configuration, flags['backup'])
      : flags['repair'] === true
        ? (await import('./commands/repair.ts')).repair(configuration)
        : serveOrSupervise('bus', { configuration, flags, given }),
  )
    .addOption(
      new Option(
        '--backup <file>',
        'copy the journal, also while a bus serves it, into a new file, then exit',
      ).conflicts(['repair', 'restored']),
    )
    .addOption(
      new Option('--repair', 'copy what is readable of a damaged journal into a new one, then exit').conflicts(
        'restored',
      ),
    )
    .addOption(
      new Option('--restored', 'give the journal a new identity, once after a backup was put back, and serve it'),
    )
    .addHelpText(
      'after',
      precedence +
        examples([
          ['bus --data-dir /var/lib/rivulet --retention-bytes 100GiB', 'a journal of its own'],
          ['bus --backup /backup/journal-2026-11-25.mdb', 'a copy of the journal, while it is being served'],
          ['bus --repair', 'after the bus refused to start because the journal is damaged'],
          ['bus --restored', 'after the data directory was put back from a backup'],
        ]),
    );
  define('router', 'Run only the router, against a bus elsewhere.', (invocation) =>
    serveOrSupervise('router', invocation),
  ).addHelpText(
    'after',
    precedence + examples([['router --bus 127.0.0.1:50051 --shards 2', 'two threads of streams']]),
  );
}

const repeated = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

function defineClients(define: Define): void {
  const publish = define(
    'publish',
    'Publish one event or status change, or JSON lines from standard input.',
    async (invocation, input) => (await import('./commands/publish.ts')).publish(invocation, input),
  );
  publish
    .argument('[input]', '- reads JSON lines: events, or objects with execution_id and status or tags')
    .option('--execution-id <uuid>', 'the execution')
    .option('--stage <stage>', 'stage of the event, such as boost/routines')
    .option('--path <path>', 'path of the object within its stage')
    .option('--size <bytes>', 'size of the object')
    .option('--content-type <type>', 'media type of the object')
    .option('--checksum <text>', 'such as sha256:…')
    .option('--uri <uri>', 'where the object can be fetched')
    .option('--time <time>', 'RFC 3339; by default the time of the append')
    .option('--metadata <key=value>', 'repeatable', repeated)
    .option('--source-id <id>', "the publisher's own id: published twice it is stored once")
    .option('--status <status>', 'change the status: pending, running, completed, failed or cancelled')
    .option('--tag <tag>', 'add a tag; repeatable', repeated)
    .option('--reason <text>', 'why the status changed')
    .addHelpText(
      'after',
      `\nOver gRPC to --bus, or over HTTP when --url is given. Ids go to standard output, one a line.\n` +
        examples([
          ['publish --execution-id 0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10 --stage ingest --path a.md', 'one event'],
          ['publish --execution-id 0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10 --status completed', 'the end of an execution'],
          ['publish - < events.jsonl', 'one JSON object a line, sent in batches'],
        ]),
    );
  define(
    'demo',
    'Run a small document pipeline over a folder and publish each file that it writes.',
    async (invocation) => (await import('./demo/demo.ts')).demo(invocation),
  ).addHelpText(
    'after',
    `\nOver HTTP to --url, or over gRPC when --bus is given.\n` +
      examples([
        ['demo', "the project's own documents, in about 20 seconds"],
        ['demo --input notes --pace 5', 'another folder, faster'],
      ]),
  );
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ').trim();

/** Rooms name commands as `rivulet …` in backticks; here they become the words that work in this place. */
function report(message: string): void {
  const spelled = message.replace(/`rivulet ([^`]+)`/g, (_, words: string) => commandLine(words));
  process.stderr.write(`rivulet: ${oneLine(spelled)}\n`);
}

/** Commander's own words without its prefix, and where to read on. */
function reportUsage(error: CommanderError, words: readonly string[]): void {
  const first = words[0] ?? '';
  const known = ['up', 'bus', 'router', 'publish', 'demo'];
  const allowed = error.code === 'commander.unknownCommand' ? `; allowed: ${known.join(', ')}` : '';
  const help = commandLine(known.includes(first) ? `${first} --help` : '--help');
  report(
    `${oneLine(error.message)
      .replace(/^error: /, '')
      .replace(/\.$/, '')}${allowed}; see ${help}`,
  );
}

/** Runs one command to its end. Answers the exit code; every refusal has been said in one line on standard error. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  let code = 0;
  const program = buildProgram((result) => {
    code = result;
  });
  try {
    if (words.length === 0) {
      program.outputHelp();
      return 2;
    }
    await program.parseAsync([...words], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      reportUsage(error, words);
      return 2;
    }
    if (error instanceof StartError) {
      report(error.message);
      return error.exitCode;
    }
    process.stderr.write(
      `rivulet: a defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return exitDefect;
  }
}
