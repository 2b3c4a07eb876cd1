/**
 * A 422 body as FastAPI with Pydantic v2 writes it, byte for byte: key order type, loc, msg, input, ctx; no spaces; a float bound
 * is written `1.0`, which JSON.stringify cannot.
 */
export interface ValidationFault {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, string | number | Float64>>;
}

/** A number that Python would print as a float. */
export class Float64 {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  /** `1.0`, `0.5`; the bounds in use are finite and small, so no exponent form occurs. */
  text(): string {
    return Number.isInteger(this.value) ? `${this.value}.0` : String(this.value);
  }
}

export function validationBody(faults: readonly ValidationFault[]): string {
  return `{"detail":[${faults.map(faultText).join(',')}]}`;
}

function faultText(fault: ValidationFault): string {
  const { type, loc, msg } = fault;
  const input = JSON.stringify(fault.input ?? null);
  const head = JSON.stringify({ type, loc, msg }).slice(0, -1);
  const ctx = fault.ctx === undefined ? '' : `,"ctx":${contextText(fault.ctx)}`;
  return `${head},"input":${input}${ctx}}`;
}

function contextText(ctx: NonNullable<ValidationFault['ctx']>): string {
  const parts = Object.entries(ctx).map(
    ([key, value]) => `${JSON.stringify(key)}:${value instanceof Float64 ? value.text() : JSON.stringify(value)}`,
  );
  return `{${parts.join(',')}}`;
}

export function missing(...loc: (string | number)[]): ValidationFault {
  return { type: 'missing', loc, msg: 'Field required', input: null };
}

/** A rule of ours, in the shape of a ValueError raised in a Pydantic validator. */
export function valueFault(loc: readonly (string | number)[], reason: string, input: unknown): ValidationFault {
  return { type: 'value_error', loc, msg: `Value error, ${reason}`, input };
}
