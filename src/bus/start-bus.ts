import type { EventJournal } from '../contract/journal.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { StartError } from '../core/failure.ts';
import { sweepPeriodMs } from '../core/limits.ts';
import { type BusServer, serveBus } from '../wire/bus/bus-server.ts';
import { type JournalSettings, journalDefaults } from './journal/journal-settings.ts';
import { openEngine } from './open-engine.ts';
import { createBusService } from './service/bus-service.ts';
import { publishGate } from './service/publish-gate.ts';

/** Plain data: it crosses into the bus's thread. */
export interface BusSettings extends Partial<JournalSettings> {
  readonly engine: 'lmdb' | 'memory';
  /** For `lmdb`: made when it does not exist. */
  readonly dataDirectory: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Entries a second, over all publishers; absent or 0: no limit. */
  readonly publishRate?: number;
}

export interface BusEvents {
  /** Something that an operator must see; one sentence. */
  onWarning(message: string): void;
  /** Aborted: whoever waits for the start wants it no more. A bus that has started is ended by its own `stop`. */
  readonly abandoned?: AbortSignal;
}

export interface RunningBus {
  readonly port: number;
  readonly journal: EventJournal;
  /** Ends the calls, then flushes and closes the journal, then gives the directory back. */
  stop(): Promise<void>;
}

/** Checks and opens the journal, then serves it. Throws StartError; then nothing is left open. */
export async function startBus(
  settings: BusSettings,
  events: BusEvents,
  clock: Clock = systemClock,
): Promise<RunningBus> {
  const engine = await openEngine(
    settings,
    { ...journalDefaults, ...settings },
    {
      clock,
      signal: events.abandoned,
    },
  );
  const { journal } = engine;
  let server: BusServer;
  try {
    server = await serveBus(createBusService(journal, publishGate(settings.publishRate ?? 0, clock), clock), {
      host: settings.host,
      port: settings.port,
      clock,
      onInternalError: (error) => {
        events.onWarning(`a call to the bus failed: ${error instanceof Error ? error.message : String(error)}`);
      },
    });
  } catch (error) {
    await engine.close();
    throw error;
  }
  journal.onDamage((damage) => {
    events.onWarning(damage.message);
  });
  const stopSweeping = keepSwept(journal, events, clock);
  const bus: RunningBus = {
    port: server.port,
    journal,
    async stop() {
      stopSweeping();
      await server.stop();
      await engine.close();
    },
  };
  if (events.abandoned?.aborted !== true) return bus;
  await bus.stop();
  throw new StartError('the start was broken off', 1);
}

/** Steps of retention until there is nothing to do, every `sweepPeriodMs`; says once when the clock has stepped, and when it is right again. */
function keepSwept(journal: EventJournal, events: BusEvents, clock: Clock): () => void {
  let sweeping = false;
  let alarmed = false;
  let stopped = false;
  const sweep = async (): Promise<void> => {
    while (!stopped && (await journal.sweep()));
    const { clockAlarm } = journal.stats();
    if (clockAlarm !== alarmed) {
      alarmed = clockAlarm;
      events.onWarning(
        alarmed
          ? 'the clock stands more than a day ahead of the journal: retention by age is held back'
          : 'the clock and the journal agree again: retention by age goes on',
      );
    }
  };
  const cancel = clock.every(sweepPeriodMs, () => {
    if (sweeping) return;
    sweeping = true;
    sweep()
      .catch((error: unknown) => {
        events.onWarning(`retention failed: ${error instanceof Error ? error.message : String(error)}`);
      })
      .finally(() => {
        sweeping = false;
      });
  });
  return () => {
    stopped = true;
    cancel();
  };
}
