import type { z } from 'zod';
import { Float64, type ValidationFault } from '../http/validation.ts';
import { boundedInput } from './input.ts';

type Issue = z.core.$ZodIssue;
type Words = Pick<ValidationFault, 'type' | 'msg' | 'ctx'>;

/** Faults in Pydantic's words, for a custom issue of our own schemas: `ctx.issues.push(pydanticIssue(…))`. */
export function pydanticIssue(words: Words, input: unknown): z.core.$ZodRawIssue {
  return { code: 'custom', message: words.msg, params: { pydantic: words }, input };
}

/**
 * Translates zod's issues to what FastAPI would have said.
 *
 * @param root the value that was parsed; `input` is looked up in it
 * @param loc  what stands before the path of each issue: `['query']`, `['body', 'events', 3]`
 */
export function faultsOf(
  issues: readonly Issue[],
  root: unknown,
  loc: readonly (string | number)[],
): ValidationFault[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, root, loc));
}

function faultsOfIssue(issue: Issue, root: unknown, loc: readonly (string | number)[]): ValidationFault[] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  const input = at(root, path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...extraWords(key),
      loc: [...loc, ...path, key],
      input: boundedInput(at(input, [key])),
    }));
  }
  // What is missing is shown as FastAPI shows it: with the object that lacks it, null for a parameter.
  const lacks = issue.code === 'invalid_type' && input === undefined;
  const parent = lacks && loc[0] === 'body' ? at(root, path.slice(0, -1)) : input;
  return [{ ...wordsOf(issue, lacks), loc: [...loc, ...path], input: boundedInput(parent) }];
}

function at(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** Keys that a received event has and a published one may not: they are the bus's to give. */
const assignedByTheBus = new Set(['id', 'type', 'extension']);

function extraWords(key: string): Words {
  if (!assignedByTheBus.has(key)) return { type: 'extra_forbidden', msg: 'Extra inputs are not permitted' };
  return {
    type: 'extra_forbidden',
    msg: `Extra inputs are not permitted: '${key}' is assigned by the bus, leave it out (a publisher's own id goes to source_id)`,
  };
}

const typeWords: Readonly<Record<string, Words>> = {
  string: { type: 'string_type', msg: 'Input should be a valid string' },
  number: { type: 'float_type', msg: 'Input should be a valid number' },
  int: { type: 'int_type', msg: 'Input should be a valid integer' },
  boolean: { type: 'bool_type', msg: 'Input should be a valid boolean' },
  array: { type: 'list_type', msg: 'Input should be a valid list' },
  record: { type: 'dict_type', msg: 'Input should be a valid dictionary' },
  object: {
    type: 'model_attributes_type',
    msg: 'Input should be a valid dictionary or object to extract fields from',
  },
};

function wordsOf(issue: Issue, lacks: boolean): Words {
  switch (issue.code) {
    case 'invalid_type':
      return lacks
        ? { type: 'missing', msg: 'Field required' }
        : (typeWords[issue.expected] ?? { type: 'value_error', msg: issue.message });
    case 'invalid_value':
      return choiceWords(issue.values.map(String));
    case 'too_small':
      return boundWords('ge', 'greater than or equal to', Number(issue.minimum));
    case 'too_big':
      return boundWords('le', 'less than or equal to', Number(issue.maximum));
    case 'custom':
      return (issue.params?.['pydantic'] as Words | undefined) ?? { type: 'value_error', msg: issue.message };
    default:
      return { type: 'value_error', msg: issue.message };
  }
}

function boundWords(key: 'ge' | 'le', comparison: string, bound: number): Words {
  const type = key === 'ge' ? 'greater_than_equal' : 'less_than_equal';
  return { type, msg: `Input should be ${comparison} ${bound}`, ctx: { [key]: bound } };
}

export function floatBoundWords(key: 'ge' | 'le', bound: number): Words {
  const words = boundWords(key, key === 'ge' ? 'greater than or equal to' : 'less than or equal to', bound);
  return { ...words, ctx: { [key]: new Float64(bound) } };
}

function choiceWords(values: readonly string[]): Words {
  const quoted = values.map((value) => `'${value}'`);
  const expected = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1) ?? ''}`;
  return { type: 'literal_error', msg: `Input should be ${expected}`, ctx: { expected } };
}

export function lengthWords(max: number, actual: number): Words {
  return {
    type: 'too_long',
    msg: `List should have at most ${max} item${max === 1 ? '' : 's'} after validation, not ${actual}`,
    ctx: { field_type: 'List', max_length: max, actual_length: actual },
  };
}
