import { pino } from 'pino';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** How every thread logs; plain data, so that it can be handed to a worker. */
export interface LogSettings {
  readonly level: LogLevel;
  /** For eyes: one short line. Otherwise JSON, one object a line. */
  readonly pretty: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** What the rooms see of the logger. Fields first, so that a line can be searched by them; `error` is shown with its causes. */
export interface Log {
  fatal(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  debug(fields: Fields, message: string): void;
  /** The same log with fields on every line, such as `{ shard: 3 }`. */
  child(fields: Fields): Log;
}

/** The file descriptor of standard error; standard output belongs to the ready line. */
const standardError = 2;

const dim = '\u001b[2m';
const plain = '\u001b[0m';
const colours: Readonly<Record<string, string>> = {
  fatal: '\u001b[35m',
  error: '\u001b[31m',
  warn: '\u001b[33m',
  info: '\u001b[32m',
};

/** One line for a terminal of one JSON line of pino's. */
export function prettyLine(json: string): string {
  const { time, level, msg, error, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  const name = String(level);
  const rest = Object.entries(fields)
    .map(([key, value]) => ` ${dim}${key}=${plain}${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const stack = (error as { readonly stack?: string } | undefined)?.stack;
  const trouble = stack === undefined ? '' : `\n${stack}`;
  return `${dim}${clock}${plain} ${colours[name] ?? dim}${name.padEnd(5)}${plain} ${String(msg)}${rest}${trouble}\n`;
}

/**
 * A logger on standard error. Writes at once and in order, without a thread of its own: the last words before a crash are the ones wanted.
 *
 * @param write where finished lines go; standard error when absent
 */
export function createLog(settings: LogSettings, write?: (line: string) => void): Log {
  const direct = pino.destination({ dest: standardError, sync: true });
  const toEnd = write ?? ((line: string) => direct.write(line));
  const destination = {
    write: (line: string) => {
      toEnd(settings.pretty ? prettyLine(line) : line);
    },
  };
  return pino(
    {
      level: settings.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  );
}
