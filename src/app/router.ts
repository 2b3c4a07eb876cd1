import { systemClock } from '../core/clock.ts';
import { StartError } from '../core/failure.ts';
import { damagedRetryMs, historyRetryMs, shardGivenUpMs, writesDrainMs } from '../core/limits.ts';
import { Dispatcher } from '../dispatch/dispatcher.ts';
import { createAcceptor } from '../edge/acceptor.ts';
import { loadUws } from '../edge/uws.ts';
import { ExecutionRegistry } from '../executions/registry.ts';
import { faultMemory, isDamage } from '../observe/fault-memory.ts';
import { routerMetrics } from '../observe/router-metrics.ts';
import { Backoff } from '../upstream/backoff.ts';
import { BusGateway } from '../upstream/bus-gateway.ts';
import { JournalView } from '../upstream/journal-view.ts';
import { Upstream } from '../upstream/upstream.ts';
import { createWindow } from '../window/window-memory.ts';
import { WindowWriter } from '../window/window-writer.ts';
import { createBusClient } from '../wire/bus/bus-client.ts';
import type { RouterOptions, RunningRouter } from './router-options.ts';
import { randomFraction, type ShardSetup } from './shard-thread.ts';
import { closeHosts, ShardHost } from './shards.ts';

/**
 * The share of the window that the first fill asks of the bus. A record takes more room in the window than in the journal (its texts stand in the frame and in
 * the match key): measured, 1.6 times at 330-byte events. What does not fit pushes out the oldest.
 */
const fillShare = 0.6;

/**
 * Composes a router: upstream → window → dispatcher → shards, and the acceptor in front of them.
 *
 * Fails with StartError when the port cannot be had. It serves from then on: requests before the first fill are held.
 */
export async function startRouter(options: RouterOptions): Promise<RunningRouter> {
  const { log } = options;
  const clock = systemClock;
  // Before any thread loads it: only here does it see the bound on request heads.
  await loadUws();
  const memory = createWindow(options.windowBytes);
  const window = new WindowWriter(memory);
  const registry = new ExecutionRegistry();
  const hosts = Array.from({ length: options.shards }, () => new ShardHost());
  await Promise.all(hosts.map((host, shard) => host.open(setupOf(options, memory, shard))));
  const descriptors = hosts.map(({ descriptor }) => descriptor);
  const acceptor = await createAcceptor(options.host, options.port, descriptors).catch(async (failure: unknown) => {
    await closeHosts(hosts);
    throw failure;
  });

  const client = createBusClient(options.busAddress, { clock });
  const metrics = routerMetrics(() => {
    const { report } = dispatcher.readiness();
    return {
      windowFill: window.keptBytes / window.capacityBytes,
      windowSequence: dispatcher.position().sequence,
      upstreamLag: report.lag,
      upstreamConnected: report.upstream === 'connected',
      executions: registry.size,
      shardsResponsive: dispatcher.health().report.shards.filter(({ responsive }) => responsive).length,
    };
  });
  let fail: (failure: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const isOldFault = faultMemory();
  const view = new JournalView();
  const dispatcher = new Dispatcher({
    shards: hosts,
    window,
    registry,
    bus: new BusGateway(client, view, clock),
    flow: {
      hold: () => {
        upstream.hold();
      },
      release: () => {
        upstream.release();
      },
    },
    clock,
    backoff: () => new Backoff(historyRetryMs, damagedRetryMs, randomFraction),
    connectionsMax: options.connections,
    connectionsPerAddressMax: options.connectionsPerAddress,
    publishRate: options.publishRate,
    onFault: (what, error) => {
      metrics.faulted(what);
      if (!isOldFault(what, error)) log.error({ error, what }, 'a fault was contained');
    },
    onShardResponsive: (shard, responsive) => {
      const descriptor = hosts[shard]?.descriptor ?? 0;
      if (responsive) acceptor.addChild(descriptor);
      else acceptor.removeChild(descriptor);
      if (responsive) log.warn({ shard }, 'a shard answers again; it gets new connections');
      else log.error({ shard }, 'a shard does not answer; it gets no new connections');
    },
    onShardGivenUp: (shard) => {
      hosts[shard]?.markStuck();
      fail(new StartError(`the thread of shard ${shard} has not answered for ${shardGivenUpMs} ms`, 1));
    },
    onShardLost: (shard, cause) => {
      hosts[shard]?.markLost();
      acceptor.removeChild(hosts[shard]?.descriptor ?? 0);
      fail(new StartError(`the thread of shard ${shard} was lost: ${String(cause)}`, 1, { cause }));
    },
    busResponsive: () => options.busResponsive?.() ?? null,
    onPublished: (seconds) => {
      metrics.published(seconds * 1_000);
    },
    onHeldBack: (milliseconds) => {
      metrics.heldBack(milliseconds);
    },
  });
  const upstream = new Upstream({
    client,
    sink: dispatcher,
    view,
    clock,
    random: randomFraction,
    fillBytes: Math.floor(options.windowBytes * fillShare),
    onReconnected: () => {
      metrics.upstreamReconnected();
    },
    onTrouble: (what, error) => {
      const reason = error instanceof Error ? error.message : String(error);
      if (!isDamage(error)) log.warn({ what, reason }, 'the bus is away');
      else if (!isOldFault(what, error)) log.error({ what, reason }, 'the bus cannot read its journal on');
    },
  });
  dispatcher.start();
  upstream.run().catch((cause: unknown) => {
    fail(new StartError(`the upstream broke: ${String(cause)}`, 1, { cause }));
  });

  return {
    httpPort: acceptor.port,
    failed,
    metrics: async () => {
      const shards = await Promise.all(hosts.filter((host) => host.reachable).map((host) => host.metrics()));
      const journal = dispatcher.journal();
      return metrics.text(
        shards,
        journal === null
          ? null
          : {
              oldestSequence: journal.oldest?.sequence ?? 0,
              // The description is up to some seconds old; what has been received since is newer.
              newestSequence: Math.max(journal.newest.sequence, dispatcher.position().sequence),
              retainedBytes: journal.retainedBytes,
            },
      );
    },
    health: () => dispatcher.health(),
    stop: async () => {
      acceptor.stopAccepting();
      await dispatcher.drainStreams();
      await Promise.race([dispatcher.drainWrites(), patience(writesDrainMs)]);
      upstream.stop();
      client.close();
      dispatcher.close();
      await closeHosts(hosts);
      acceptor.close();
    },
  };
}

function patience(waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(waitMs, resolve, { background: true });
  });
}

function setupOf(options: RouterOptions, window: ShardSetup['window'], shard: number): Omit<ShardSetup, 'pulse'> {
  return { shard, window, edge: options.edge, log: options.logSettings };
}
