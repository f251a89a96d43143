import { readFileSync } from 'node:fs';
import type { Random } from './random.ts';

/* Lines as flytekit writes them. */

/** The real lines of a real run, without what kubectl put before them. */
const STEPS = readFileSync(new URL('../../pipelines/flytekit.sample.log', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => line.slice(line.indexOf('{')))
  .filter((line) => /"event": "flytekit_step".*"status": "success", "execution_id": ".*\}$/.test(line));

/** Whose steps fail. */
export const TASK = 'workflows.train.fit';

export function stepLine(number: string, random: Random): string {
  return random.one(STEPS).replace(/"execution_id": "[^"]*"/, `"execution_id": "${number}"`);
}

export function failedStep(number: string, error_type: string, task = TASK): string {
  return (
    `{"asctime": "2026-02-19 02:26:48,492", "name": "flytekit.telemetry", "levelname": "INFO", "message": "flytekit_step", ` +
    `"event": "flytekit_step", "step": "Execute user level code", "wall_time_s": 28.447119, "process_time_s": 27.903312, ` +
    `"status": "error", "error_type": "${error_type}", "execution_id": "${number}", "task_name": "${task}", "project": "ml", "domain": "production"}`
  );
}

export function flytekitLine(message: string): string {
  const text = JSON.stringify(message);
  return `{"asctime": "2026-02-19 02:26:48,493", "name": "flytekit", "levelname": "ERROR", "message": ${text}}`;
}
