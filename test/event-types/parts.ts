import { parse } from 'yaml';
import { compileEventTypes, type EventTypes } from '../../src/event-types/index.ts';
import type { EventTypeOptions, Unknown } from '../../src/event-types/schema.ts';

/** The types of the section in YAML, which must make sense. */
export function types(yaml: string, unknown?: Unknown): EventTypes {
  const { types: compiled, problems } = compileEventTypes(parse(yaml) as Record<string, EventTypeOptions>, unknown);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return compiled;
}

/** The types of AsyncFlow's own documentation, with a base. */
export const FRAMEWORK = `
myframework.Base:
  fields: { run: str }
myframework.ModelCheckpoint:
  description: A checkpoint was written.
  extends: myframework.Base
  fields:
    step: { type: int, default: -1, column: checkpoint_step }
    loss: { type: float, default: inf, description: Loss on the validation set. }
    metric: str
    elapsed_s: { type: float, unit: s }
    final: bool
    shape: any
  conditions: { poor: loss > 0.5, last: final = true and metric = val }
  histogram: { field: elapsed_s, labels: [metric] }
`;
