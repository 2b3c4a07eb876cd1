import type { Check } from '../kit/check.ts';
import type { HttpDoor } from './door.ts';
import { endChecks } from './endings.ts';
import { executionChecks } from './executions.ts';
import { selectionChecks } from './filters.ts';
import { frameChecks } from './frames.ts';
import { resumeChecks } from './resume.ts';
import { routeChecks } from './routes.ts';
import { validationChecks } from './validation.ts';
import { publishChecks } from './writes.ts';

/** The HTTP half of the kit. */
export const httpChecks: readonly Check<HttpDoor>[] = [
  ...frameChecks,
  ...selectionChecks,
  ...resumeChecks,
  ...endChecks,
  ...publishChecks,
  ...executionChecks,
  ...routeChecks,
  ...validationChecks,
];
