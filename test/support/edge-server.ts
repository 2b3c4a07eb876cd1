import type { ExecutionContext } from 'ava';
import type { ControlAnswer, ControlCall, ControlDoor } from '../../src/contract/control.ts';
import type { EdgeSettings } from '../../src/contract/edge-settings.ts';
import type { StreamDoor, StreamEvents, StreamRequest, StreamSocket } from '../../src/contract/stream.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { createAcceptor } from '../../src/edge/acceptor.ts';
import { createEdge } from '../../src/edge/edge.ts';

/** Hears every stream request; what it does with the socket is the test's `act`. */
export class ScriptedStreamDoor implements StreamDoor {
  readonly requests: StreamRequest[] = [];
  readonly closed: StreamRequest[] = [];
  act: (socket: StreamSocket, request: StreamRequest) => Partial<StreamEvents> = (socket) => {
    socket.open(Buffer.from(':\n'));
    socket.end(new Uint8Array(0));
    return {};
  };

  openStream(request: StreamRequest, socket: StreamSocket): StreamEvents {
    this.requests.push(request);
    const events = this.act(socket, request);
    return {
      onWritable: () => events.onWritable?.(),
      onClosed: () => {
        this.closed.push(request);
        events.onClosed?.();
      },
    };
  }
}

export class ScriptedControlDoor implements ControlDoor {
  readonly calls: ControlCall[] = [];
  answer: (call: ControlCall) => ControlAnswer | Promise<ControlAnswer> = () => ({ kind: 'not-found' });

  async call(call: ControlCall): Promise<ControlAnswer> {
    this.calls.push(call);
    return await this.answer(call);
  }
}

export interface EdgeServer {
  readonly port: number;
  readonly baseUrl: string;
  readonly door: ScriptedStreamDoor;
  readonly control: ScriptedControlDoor;
  /** `route status`, in the order of the answers. */
  readonly answered: string[];
  readonly failures: unknown[];
}

export const plainSettings: EdgeSettings = {
  allowedHosts: [],
  corsOrigins: [],
  corsWriteOrigins: [],
  trustedProxies: [],
  version: '0.0.0-test',
};

/** A real server on a free port: acceptor and one child, as in production but in one thread. */
export async function startEdge(
  t: ExecutionContext,
  settings: Partial<EdgeSettings> = {},
  clock: Clock = systemClock,
): Promise<EdgeServer> {
  const door = new ScriptedStreamDoor();
  const control = new ScriptedControlDoor();
  const answered: string[] = [];
  const failures: unknown[] = [];
  const edge = await createEdge({
    door,
    control,
    settings: { ...plainSettings, ...settings },
    clock,
    metrics: {
      answered: (route, status) => answered.push(`${route} ${status}`),
      failed: (error) => failures.push(error),
    },
  });
  const acceptor = await createAcceptor('127.0.0.1', 0, [edge.app.getDescriptor()]);
  t.teardown(() => {
    acceptor.stopAccepting();
    edge.close();
    acceptor.close();
  });
  return { port: acceptor.port, baseUrl: `http://127.0.0.1:${acceptor.port}`, door, control, answered, failures };
}
