import { LONGEST_KEPT } from './compose.ts';
import { executionName, notOutside, type LineIdentity } from './identity.ts';

/** Executions come and go: past this many the table is emptied. */
const MOST = 8_192;

/** The identities that lines carry, one object for each: what is made of one is looked up by it. */
export class Identities {
  #known = new Map<string, LineIdentity>();

  /** The one object for what a line says: texts as written, `''` where it says nothing. */
  of(execution_id: string, task: string, project: string, domain: string): LineIdentity {
    const key = JSON.stringify([execution_id, task, project, domain]);
    let identity = this.#known.get(key);
    if (identity === undefined) {
      identity = {
        execution_id: executionName(execution_id),
        task: notOutside(task),
        task_project: notOutside(project),
        task_domain: notOutside(domain),
      };
      if (key.length > LONGEST_KEPT) return identity;
      if (this.#known.size >= MOST) this.#known = new Map();
      this.#known.set(key, identity);
    }
    return identity;
  }
}
