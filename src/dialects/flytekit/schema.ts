import { Ajv } from 'ajv';

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

const ajv = new Ajv({ allErrors: false, strict: true, strictRequired: false });
const validate = ajv.compile(stepSchema);

/** Why the object is not a step, without its values; undefined if it is one. */
export function stepProblem(value: Record<string, unknown>): string | undefined {
  if (validate(value)) return undefined;
  const [first] = validate.errors ?? [];
  if (first === undefined) return 'does not fit the schema';
  const where = first.instancePath === '' ? 'the step' : first.instancePath.slice(1);
  const allowed = first.keyword === 'enum' ? `: ${(first.params['allowedValues'] as string[]).join(', ')}` : '';
  return `${where} ${first.message ?? 'is wrong'}${allowed}`;
}
