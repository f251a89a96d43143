import { createRequire } from 'node:module';
import type { Ajv, ValidateFunction } from 'ajv';

/**
 * What a line that claims `event: flytekit_step` must be. Everything else in it is optional, or an extra that the user's code added: extras are
 * merged over flytekit's own keys, so any of the others may be of any type.
 */
export const stepSchema = {
  $id: 'flytekit_step',
  type: 'object',
  required: ['event', 'step', 'wall_time_s', 'process_time_s', 'status'],
  properties: {
    event: { const: 'flytekit_step' },
    step: { type: 'string', minLength: 1 },
    wall_time_s: { type: 'number', minimum: 0 },
    process_time_s: { type: 'number', minimum: 0 },
    status: { enum: ['success', 'error'] },
  },
  if: { properties: { status: { const: 'error' } } },
  then: { required: ['error_type'], properties: { error_type: { type: 'string', minLength: 1 } } },
} as const;

let compiled: ValidateFunction | undefined;

/** Loading and compiling takes 100 ms, and a run whose lines are all as their producer's formatter writes them never gets here. */
function schema(): ValidateFunction {
  if (compiled === undefined) {
    const loaded = createRequire(import.meta.url)('ajv') as { Ajv: typeof Ajv };
    compiled = new loaded.Ajv({ allErrors: false, strict: true, strictRequired: false }).compile(stepSchema);
  }
  return compiled;
}

/** Why the object is not a step, without its values; undefined if it is one. */
export function stepProblem(value: Record<string, unknown>): string | undefined {
  const validate = schema();
  if (validate(value)) return undefined;
  const [first] = validate.errors ?? [];
  if (first === undefined) return 'does not fit the schema';
  const where = first.instancePath === '' ? 'the step' : first.instancePath.slice(1);
  const allowed = first.keyword === 'enum' ? `: ${(first.params['allowedValues'] as string[]).join(', ')}` : '';
  return `${where} ${first.message ?? 'is wrong'}${allowed}`;
}
