import { setTimeout as sleep } from 'node:timers/promises';
import { portToComeBackTo } from '../../support/free-port.ts';
import { type System, startProgram, temporaryDirectory } from '../../support/system.ts';
import { hold, type StressContext } from '../scenario.ts';
import { positionOfRouter, positionsOfBus } from './journal.ts';

/** Standard error of a program, so much of its end, beside a failure. */
const saidCharacters = 1_500;

/** A program that is ended and started again in the same place: same ports, same directory. */
export class Place {
  readonly #context: StressContext;
  readonly #words: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  #system: System | null = null;
  /** How often it was killed. */
  kills = 0;

  private constructor(
    context: StressContext,
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.#context = context;
    this.#words = words;
    this.#environment = environment;
  }

  static async start(
    context: StressContext,
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Place> {
    const place = new Place(context, words, environment);
    await place.start();
    context.onFailure(() => place.#said());
    return place;
  }

  /** The program of now, or the last. */
  get system(): System {
    hold(this.#system !== null, 'it was never started');
    return this.#system;
  }

  get http(): string {
    return this.system.http;
  }

  get grpc(): string {
    return this.system.grpc;
  }

  /** Starts it, with other words where given (the last one wins). */
  async start(more: readonly string[] = []): Promise<System> {
    this.#system = await startProgram(this.#context, [...this.#words, ...more], this.#environment);
    return this.#system;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.kills += 1;
    await this.system.stop(signal);
  }

  /** Starts it and kills it so soon after, ready or not. */
  async startAndKill(afterMs: number): Promise<void> {
    let end: () => unknown = () => undefined;
    const owner = {
      teardown: (finish: () => unknown) => {
        end = finish;
      },
    };
    const starting = startProgram(owner, this.#words, this.#environment).catch(() => undefined);
    this.#context.teardown(() => end());
    await sleep(afterMs);
    await end();
    await starting;
    this.kills += 1;
  }

  async restart(): Promise<System> {
    await this.kill();
    return this.start();
  }

  /** Holds the process still, as a machine that hangs would. */
  freeze(): void {
    this.system.process.kill('SIGSTOP');
  }

  thaw(): void {
    this.system.process.kill('SIGCONT');
  }

  #said(): string {
    const [word = ''] = this.#words;
    return `${word} (pid ${this.system.process.pid ?? 0}) said last:\n${this.system.stderr().slice(-saidCharacters)}`;
  }
}

export interface PlaceSettings {
  /** By default one of its own. */
  readonly directory?: string;
  readonly more?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const routerWords = ['--shards=2', '--window-bytes=4MiB', '--log-level=warn'];

/** `rivulet up`. */
export async function upPlace(context: StressContext, settings: PlaceSettings = {}): Promise<Place> {
  const directory = settings.directory ?? (await temporaryDirectory(context));
  const place = await Place.start(
    context,
    [
      'up',
      `--port=${await portToComeBackTo()}`,
      `--bus-port=${await portToComeBackTo()}`,
      '--ops-port=0',
      `--data-dir=${directory}`,
      ...routerWords,
      ...(settings.more ?? []),
    ],
    settings.environment,
  );
  context.onFailure(() => positionsOfBus(place.grpc));
  context.onFailure(() => positionOfRouter(place.http));
  return place;
}

/** `rivulet bus`. */
export async function busPlace(context: StressContext, settings: PlaceSettings = {}): Promise<Place> {
  const directory = settings.directory ?? (await temporaryDirectory(context));
  const place = await Place.start(context, [
    'bus',
    `--bus-port=${await portToComeBackTo()}`,
    `--data-dir=${directory}`,
    '--log-level=warn',
    ...(settings.more ?? []),
  ]);
  context.onFailure(() => positionsOfBus(place.grpc));
  return place;
}

/** `rivulet router`, ready. */
export async function routerPlace(context: StressContext, bus: string, more: readonly string[] = []): Promise<Place> {
  const place = await Place.start(context, [
    'router',
    `--bus=${bus}`,
    `--port=${await portToComeBackTo()}`,
    '--ops-port=0',
    ...routerWords,
    ...more,
  ]);
  context.onFailure(() => positionOfRouter(place.http));
  await place.system.untilReady('ready');
  return place;
}
