import type { Pods } from '../kubernetes/pods.ts';
import type { Assembler } from './assembler.ts';
import { FlyteTasks } from './flyte/index.ts';
import { OrchestRuns } from './orchest.ts';
import { RhapsodyTasks } from './rhapsody.ts';
import { taskOptions, type TaskOptions } from './schema.ts';

/** Every way of putting tasks together; none where nobody takes them. */
export function assemblersOf(
  { enabled = true, idle_s = taskOptions.properties.idle_s.default }: TaskOptions,
  taken: boolean,
  pods: Pick<Pods, 'get' | 'state'>,
): Assembler[] {
  if (!enabled || !taken) return [];
  return [new FlyteTasks({ idle_s, pods }), new RhapsodyTasks({ idle_s }), new OrchestRuns()];
}
