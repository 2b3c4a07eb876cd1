import type { ShardReport } from '../../src/contract/shard-messages.ts';
import type { CursorRequest } from '../../src/contract/stream.ts';
import type { JournalDescription } from '../../src/contract/upstream.ts';
import type { ExecutionStatus } from '../../src/core/execution.ts';
import type { Sequence, ShardIndex } from '../../src/core/sequence.ts';
import { ExecutionRegistry } from '../../src/executions/registry.ts';
import { Gate } from '../../src/registrar/gate.ts';
import { JoinDesk } from '../../src/registrar/join-desk.ts';
import { PositionWaiters } from '../../src/registrar/position-waiters.ts';
import { FakeBus } from './fake-bus.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeMail } from './fake-mail.ts';
import { testId } from './record-batch.ts';

export const shard = 0 as ShardIndex;

/** The join desk with everything around it in the test's hand. */
export class Desk {
  readonly clock = new FakeClock();
  readonly bus = new FakeBus();
  readonly registry = new ExecutionRegistry();
  readonly waiters = new PositionWaiters(this.clock, 0 as Sequence);
  readonly filled: Gate;
  readonly connected = new Gate(true);
  readonly mail = new FakeMail();
  readonly interest: string[] = [];
  readonly faults: unknown[] = [];
  readonly desk: JoinDesk;
  journal: JournalDescription | null = null;
  head = 0;
  /** The window reaches back to behind this sequence. */
  low = 0;

  constructor(filled = true) {
    this.filled = new Gate(filled);
    this.desk = new JoinDesk({
      registry: this.registry,
      interest: {
        add: (_shard, value) => {
          this.interest.push(value);
        },
      },
      window: {
        head: () => ({ sequence: this.head as Sequence, offset: this.head * 100 }),
        lowSequence: () => this.low as Sequence,
        idAt: (sequence) => (sequence > this.low && sequence <= this.head ? testId(sequence) : null),
        keptBytes: 0,
        capacityBytes: 1,
      },
      bus: this.bus,
      clock: this.clock,
      waiters: this.waiters,
      filled: this.filled,
      connected: this.connected,
      journal: () => this.journal,
      headId: () => testId(this.head),
      onFault: (fault) => {
        this.faults.push(fault);
      },
    });
  }

  /** The router moves on by one record, which names the execution. */
  record(executionId: string, status: ExecutionStatus = 'running', tags: readonly string[] = []): void {
    this.head += 1;
    const place = { sequence: this.head, id: testId(this.head), timeMs: 0 };
    this.registry.applyChange(executionId, place, { status, statusChanged: true, tags, reason: '' });
    this.waiters.advance(this.head as Sequence);
  }

  async join(values: readonly string[], cursor: CursorRequest = { kind: 'live' }, session = 1): Promise<void> {
    const report: Extract<ShardReport, { kind: 'join' }> = { kind: 'join', session, values, cursor, address: '::1' };
    this.desk.join(shard, this.mail, report);
    await settled();
  }

  after(sequence: number): CursorRequest {
    return { kind: 'after', id: testId(sequence) };
  }

  /** Nobody waits for anything any more. */
  get leftovers(): number {
    return this.desk.pending + this.clock.pending;
  }
}
