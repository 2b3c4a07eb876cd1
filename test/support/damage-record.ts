import { openTables } from '../../src/bus/engine/lmdb-store.ts';

/** For journal-damage.ts: takes one record away without its index, or overwrites it. Not a test. */
const [directory = '', sequence = '0', how = 'missing'] = process.argv.slice(2);
const tables = openTables(directory, { readOnly: false });
const key = Number(sequence);
await (how === 'missing' ? tables.records.remove(key) : tables.records.put(key, Buffer.alloc(200, 0x5a)));
await tables.root.close();
