import type { FromSchema } from 'json-schema-to-ts';

/** Options of `tasks`. */
export const taskOptions = {
  type: 'object',
  description: 'Tasks, put together from the lines that they wrote, as rows of the table `tasks`.',
  additionalProperties: false,
  properties: {
    enabled: {
      type: 'boolean',
      description: 'False: rows are stored as they are, and no tasks are made of them.',
      default: true,
    },
    idle_s: {
      type: 'number',
      description:
        'Seconds after which a task that says nothing more is told as one whose end is missing; not while the Kubernetes API knows that its container runs. What comes later corrects it.',
      default: 3600,
      minimum: 1,
    },
  },
} as const;

export type TaskOptions = Partial<FromSchema<typeof taskOptions>>;
