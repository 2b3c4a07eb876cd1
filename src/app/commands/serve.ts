import { systemClock } from '../../core/clock.ts';
import { StartError } from '../../core/failure.ts';
import { journalText } from '../../observe/journal-metrics.ts';
import { createLog, type Log, type LogSettings } from '../../observe/log.ts';
import type { Configuration } from '../configuration/options.ts';
import type { RunningRouter } from '../router-options.ts';
import { watchSupervisor } from '../supervision/supervise.ts';
import { type RunningBus, startBus } from './bus-thread.ts';
import { Lifecycle } from './lifecycle.ts';
import { startOpsServer } from './ops-server.ts';
import { busSettings, hostPort, reachable, routerOptions } from './settings.ts';

/** The one line on standard output: machines read it, so it holds addresses and nothing else. */
function readyLine(parts: readonly (readonly [string, string])[]): string {
  return `rivulet ready ${parts.map(([name, value]) => `${name}=${value}`).join(' ')}\n`;
}

export interface ServeOptions {
  /** The data directory was put back from a backup: its journal takes a new identity. */
  readonly restored?: boolean;
  /** It was started by a supervisor: when that has gone, it stops. */
  readonly supervised?: boolean;
}

interface Starting {
  readonly configuration: Configuration;
  readonly lifecycle: Lifecycle;
  readonly logSettings: LogSettings;
  readonly log: Log;
  readonly restored: boolean;
  readonly ready: (readonly [string, string])[];
}

async function startBusPart(starting: Starting): Promise<RunningBus> {
  const { lifecycle } = starting;
  const bus = await startBus(busSettings(starting.configuration, starting.restored), starting.log, {
    abandoned: lifecycle.ended,
  });
  lifecycle.add('bus', () => bus.stop(), bus.failed);
  return bus;
}

/** The operator's port first: it is the cheapest to be refused. Until the router runs it answers 503. */
async function startRouterPart(starting: Starting, busAddress: string, bus: RunningBus | null): Promise<void> {
  const { configuration, lifecycle, logSettings } = starting;
  let router: RunningRouter | null = null;
  const opsHost = configuration['ops-host'];
  const ops = await startOpsServer(opsHost, configuration['ops-port'], {
    health: () => router?.health() ?? null,
    metrics: async () => {
      if (router === null) throw new StartError('the router is starting', 1);
      const counts = (await bus?.stats()) ?? null;
      return (await router.metrics()) + (counts === null ? '' : await journalText(counts));
    },
  });
  lifecycle.add('ops', () => ops.stop());
  const { startRouter } = await import('../router.ts');
  const running = await startRouter({
    ...routerOptions(configuration, busAddress, starting.log, logSettings),
    ...(bus === null ? {} : { busResponsive: () => bus.responsive() }),
  });
  router = running;
  lifecycle.add('router', () => running.stop(), running.failed);
  starting.ready.unshift(['http', `http://${hostPort(configuration.host, running.httpPort)}`]);
  if (configuration['ops-port'] === 0) starting.ready.push(['ops', hostPort(opsHost, ops.port)]);
}

async function startParts(command: 'up' | 'bus' | 'router', starting: Starting): Promise<void> {
  const { configuration, lifecycle } = starting;
  let busAddress = configuration.bus;
  let bus: RunningBus | null = null;
  if (command !== 'router') {
    bus = await startBusPart(starting);
    const host = configuration['bus-host'];
    busAddress = hostPort(reachable(host), bus.port);
    starting.ready.push(['grpc', hostPort(host, bus.port)]);
  }
  if (command !== 'bus' && !lifecycle.ending) await startRouterPart(starting, busAddress, bus);
}

/**
 * Runs the bus, the router or both until a signal, and closes them in order.
 *
 * Answers the exit code. Fails with a StartError, everything closed again, when a part cannot start.
 */
export async function serve(
  command: 'up' | 'bus' | 'router',
  configuration: Configuration,
  options: ServeOptions = {},
): Promise<number> {
  const logSettings: LogSettings = { level: configuration['log-level'], pretty: process.stderr.isTTY };
  const log = createLog(logSettings);
  const lifecycle = new Lifecycle(systemClock, log);
  if (options.supervised === true) {
    const unwatch = watchSupervisor(() => {
      lifecycle.supervisorGone();
    });
    lifecycle.add('supervisor', () => {
      unwatch();
      return Promise.resolve();
    });
  }
  const starting: Starting = {
    configuration,
    lifecycle,
    logSettings,
    log,
    restored: options.restored ?? false,
    ready: [],
  };
  try {
    await startParts(command, starting);
  } catch (error) {
    // A start that was broken off by a signal is a stop, and no failure.
    if (lifecycle.ending) return lifecycle.untilEnd();
    await lifecycle.close();
    throw error;
  }
  // Whoever reads the ready line may have gone; that is no reason to stop serving.
  process.stdout.on('error', () => undefined);
  if (!lifecycle.ending) process.stdout.write(readyLine(starting.ready));
  return lifecycle.untilEnd();
}
