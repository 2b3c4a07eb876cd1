import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/**
 * Plain numbers for hot paths, shown by prom-client when somebody asks: an increment is one addition on a typed array, no label hashing.
 */

/** What a registry answers as data: it crosses threads. */
export type MetricValues = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

interface Described {
  readonly name: string;
  readonly help: string;
  readonly registry: Registry;
}

/**
 * Counts by labels whose values come from closed sets (reasons, routes, statuses), never from what clients make up.
 * `add` costs one look-up by a joined text; for once a request or a stream, not for once an event.
 */
export class LabelledTally<Label extends string> {
  readonly #counts = new Map<string, { readonly labels: Readonly<Record<Label, string>>; count: number }>();

  constructor({ name, help, registry }: Described, labels: readonly Label[]) {
    const counts = this.#counts;
    new Counter({
      name,
      help,
      registers: [registry],
      labelNames: labels,
      collect() {
        this.reset();
        for (const { labels: values, count } of counts.values()) this.inc(values, count);
      },
    });
  }

  add(labels: Readonly<Record<Label, string>>, count = 1): void {
    const key = Object.values(labels).join(' ');
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { labels, count });
    else entry.count += count;
  }
}

/** One count without labels; the owner increments `total` directly. */
export class Tally {
  total = 0;

  constructor({ name, help, registry }: Described) {
    const read = (): number => this.total;
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}

/** Reads a number by label when somebody asks. */
export function probeEach(described: Described, label: string, read: () => Readonly<Record<string, number>>): void {
  const { name, help, registry } = described;
  new Gauge({
    name,
    help,
    registers: [registry],
    labelNames: [label],
    collect() {
      this.reset();
      for (const [value, number] of Object.entries(read())) this.set({ [label]: value }, number);
    },
  });
}

/** Reads a number when somebody asks. */
export function probe({ name, help, registry }: Described, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

interface Spread extends Described {
  /** Upper bounds, rising, without +Inf. */
  readonly bounds: readonly number[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A histogram whose `observe` is a short search and two additions. */
export class SpreadTally {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor({ name, help, registry, bounds, labels = {} }: Spread) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
    const valuesOf = (): PlainValue[] => this.#values(name, labels);
    new PlainHistogram(
      { name, help, registers: [registry], labelNames: Object.keys(labels), buckets: [...bounds] },
      valuesOf,
    );
  }

  /** @param value in the unit of the metric's name */
  observe(value: number, count = 1): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#sum += value * count;
  }

  #values(name: string, labels: Readonly<Record<string, string>>): PlainValue[] {
    let below = 0;
    const buckets = Array.from(this.#counts, (count, index): PlainValue => {
      below += count;
      const bound = this.#bounds[index] ?? '+Inf';
      return { labels: { ...labels, le: bound }, value: below, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels, value: this.#sum, metricName: `${name}_sum` },
      { labels, value: below, metricName: `${name}_count` },
    ];
  }
}

interface PlainValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName: string;
}

/** prom-client's histogram in all but where its numbers come from. */
class PlainHistogram extends Histogram {
  readonly #valuesOf: () => PlainValue[];

  constructor(configuration: ConstructorParameters<typeof Histogram>[0], valuesOf: () => PlainValue[]) {
    super(configuration);
    this.#valuesOf = valuesOf;
  }

  override async get(): ReturnType<Histogram['get']> {
    return { ...(await super.get()), values: this.#valuesOf() };
  }
}
