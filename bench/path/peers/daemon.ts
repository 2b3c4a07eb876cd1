import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { sleep, systemClock } from '../../../src/core/clock.ts';
import { BenchError } from '../bench-error.ts';
import { pinned, serverCore } from '../pinning.ts';

/** A program of the system that has processes of its own below it, and no ready line. */
export interface Daemon {
  cpuSeconds(): number;
  stop(): Promise<void>;
}

const startMsMax = 10_000;

/** Starts it on the server's core, in the foreground; settles when it takes connections at each of `ports`. */
export async function startDaemon(command: string, words: readonly string[], ports: readonly number[]) {
  const child = spawn(...pinned(serverCore, command, words), { stdio: ['ignore', 'ignore', 'inherit'] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const end = (): void => {
    child.kill('SIGTERM');
  };
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const untilMs = systemClock.monotonicMs() + startMsMax;
  for (const port of ports) {
    while (!(await answers(port))) {
      if (child.exitCode !== null || systemClock.monotonicMs() > untilMs) {
        end();
        throw new BenchError(`${command} does not listen at port ${port}`);
      }
      await sleep(systemClock, 50);
    }
  }
  const daemon: Daemon = {
    cpuSeconds: () => treeTicks(child.pid ?? 0) / 100,
    stop: async () => {
      end();
      await gone;
    },
  };
  return daemon;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** User and system time of a process and all below it, in USER_HZ. */
function treeTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
  const own = Number(fields[11]) + Number(fields[12]);
  return children.reduce((sum, child) => sum + treeTicks(Number(child)), own);
}

/** Ports that nobody has just now: these programs take only numbers that are written into their configuration. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address === 'object' && address !== null) ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

/** The version that a program says it has; null when it is not here. */
export function versionOf(command: string, flag: string): string | null {
  const { error, stdout, stderr } = spawnSync(command, [flag], { encoding: 'utf8' });
  return error === undefined ? (/\d+\.\d+[.\d]*/.exec(stdout + stderr)?.[0] ?? 'unknown') : null;
}
