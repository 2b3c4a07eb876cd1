import test from 'ava';
import { InvariantError } from '../../src/core/assert.ts';
import { createLog, prettyLine } from '../../src/observe/log.ts';

function linesOf(pretty: boolean): { readonly lines: string[]; readonly log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  return { lines, log: createLog({ level: 'info', pretty }, (line) => lines.push(line)) };
}

test('a line is one JSON object with time, level, fields and the error with its cause', (t) => {
  const { lines, log } = linesOf(false);
  log.debug({}, 'not shown');
  log
    .child({ shard: 3 })
    .error({ error: new InvariantError('broke', { cause: new InvariantError('why') }), count: 2 }, 'trouble\nhere');
  t.is(lines.length, 1);
  t.is(lines[0]?.indexOf('\n'), lines[0]?.length === undefined ? -1 : lines[0].length - 1);
  const line = JSON.parse(lines[0] ?? '') as {
    time: string;
    level: string;
    shard: number;
    count: number;
    msg: string;
    error: { stack: string };
  };
  t.regex(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.is(line.level, 'error');
  t.is(line.shard, 3);
  t.is(line.count, 2);
  t.is(line.msg, 'trouble\nhere');
  t.regex(line.error.stack, /broke[\s\S]*why/);
});

test('for a terminal it is one short line, and the stack of an error below it', (t) => {
  const { lines, log } = linesOf(true);
  log.info({ port: 8080, hosts: ['a'] }, 'listening');
  const plain = (lines[0] ?? '').replace(/\u001b\[\d+m/g, '');
  t.regex(plain, /^\d\d:\d\d:\d\d\.\d{3} info {2}listening port=8080 hosts=\["a"\]\n$/);
  const broken = JSON.stringify({
    time: '2026-11-24T14:27:48.123Z',
    level: 'fatal',
    msg: 'm',
    error: { stack: 'S\n  at x' },
  });
  t.true(prettyLine(broken).endsWith('m\nS\n  at x\n'));
});
