import type { HistoryOutcome } from '../../src/contract/shard-messages.ts';
import type {
  BusCalls,
  CursorPlacement,
  HistoryRequest,
  JournalDescription,
  PublishEntry,
  PublishReceipt,
} from '../../src/contract/upstream.ts';
import { BusError, type BusFailure } from '../../src/core/failure.ts';
import type { Sequence } from '../../src/core/sequence.ts';
import { testId, testTag } from './record-batch.ts';

/** A call that the test answers when it likes. */
interface Call<Request, Answer> {
  readonly request: Request;
  readonly answer: (answer: Answer) => void;
  readonly fail: (code?: BusFailure) => void;
}

class Calls<Request, Answer> {
  /** Those not answered yet, oldest first. */
  readonly open: Call<Request, Answer>[] = [];
  count = 0;

  make(request: Request): Promise<Answer> {
    this.count += 1;
    return new Promise((resolve, reject) => {
      this.open.push({
        request,
        answer: resolve,
        fail: (code = 'unavailable') => {
          reject(new BusError(code, `scripted: ${code}`));
        },
      });
    });
  }

  /** The oldest that is open; the test is wrong when there is none. */
  next(): Call<Request, Answer> {
    const call = this.open.shift();
    if (call === undefined) throw new RangeError('no such call to the bus is open');
    return call;
  }
}

/** Of the router's own journal, if the test does not say otherwise. */
type Acknowledged = Omit<PublishReceipt, 'isOfView'> & Partial<Pick<PublishReceipt, 'isOfView'>>;

/** The bus as a script: each call waits for the test. */
export class FakeBus implements BusCalls {
  readonly publishes = new Calls<readonly PublishEntry[], Acknowledged>();
  readonly descriptions = new Calls<string | null, JournalDescription>();
  readonly histories = new Calls<HistoryRequest, HistoryOutcome>();
  /** One for each call for history, in order. */
  readonly unwanted: AbortSignal[] = [];
  readonly givenBack: ArrayBuffer[] = [];

  publish(entries: readonly PublishEntry[]): Promise<PublishReceipt> {
    const answer = this.publishes.make(entries);
    return answer.then((receipt) => ({ isOfView: () => Promise.resolve(true), ...receipt }));
  }

  describe(cursor: string | null): Promise<JournalDescription> {
    return this.descriptions.make(cursor);
  }

  history(request: HistoryRequest, unwanted: AbortSignal): Promise<HistoryOutcome> {
    this.unwanted.push(unwanted);
    return this.histories.make(request);
  }

  giveBack(bytes: ArrayBuffer): void {
    this.givenBack.push(bytes);
  }
}

function at(sequence: number): CursorPlacement['at'] {
  return { sequence: sequence as Sequence, id: testId(sequence) };
}

/** A journal that keeps everything from `oldest` on. */
export function describedJournal(
  newest: number,
  more: {
    readonly oldest?: number;
    readonly placement?: readonly [CursorPlacement['verdict'], number];
    readonly damaged?: number;
  } = {},
): JournalDescription {
  const { oldest = newest === 0 ? 0 : 1, placement, damaged } = more;
  return {
    journalId: 'journal',
    journalTag: testTag,
    origin: at(0),
    oldest: oldest === 0 ? null : at(oldest),
    newest: at(newest),
    retainedBytes: 0,
    damagedSequence: damaged === undefined ? null : (damaged as Sequence),
    placement: placement === undefined ? null : { verdict: placement[0], at: at(placement[1]) },
  };
}
