import type { ShardMessage } from '../../src/contract/shard-messages.ts';
import type { ShardMail } from '../../src/registrar/shard-mail.ts';

export type JoinedAnswer = Parameters<ShardMail['postJoined']>[0];

/** A mailbox that keeps what it was given. */
export class FakeMail implements ShardMail {
  readonly posts: ShardMessage[] = [];
  readonly joined: JoinedAnswer[] = [];

  post(message: ShardMessage): void {
    this.posts.push(message);
  }

  postJoined(answer: JoinedAnswer): void {
    this.joined.push(answer);
  }

  kinds(): string[] {
    return this.posts.map(({ kind }) => kind);
  }

  get refusals(): string[] {
    return this.posts.flatMap((message) => (message.kind === 'refused' ? [message.refusal.kind] : []));
  }
}
