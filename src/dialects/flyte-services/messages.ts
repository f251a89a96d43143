/*
 * Messages of propeller that say more than their words. What they name becomes attributes: `code`, `phase_from`, `phase_to`, `handler_phase`, `object`.
 */

export interface MessageFields {
  readonly attributes: readonly (readonly [string, string])[];
  readonly error_kind: 'user' | 'system' | undefined;
}

/** A group's name is the attribute. */
const MESSAGES: readonly RegExp[] = [
  /^Pod failed with a (?<error_kind>user|system) error\. Code: (?<code>[^,\s]{1,100}), Message: /,
  /^Change in node state detected from \[(?<phase_from>\w{1,60})\] -> \[(?<phase_to>\w{1,60})\](?:, \(handler phase \[(?<handler_phase>\w{1,60})\]\))?/,
  // The pod, `namespace/name`: so the two are known to belong together without asking Kubernetes.
  /^Creating Object: Type:\[[^\]]{0,200}\], Object:\[(?<object>[^\]\s]{1,320})\]/,
];

const NOTHING: MessageFields = { attributes: [], error_kind: undefined };

export function messageFields(message: string): MessageFields {
  for (const pattern of MESSAGES) {
    const groups = pattern.exec(message)?.groups;
    if (groups === undefined) continue;
    const { error_kind, ...named } = groups;
    const attributes = Object.entries(named).filter(([, value]: [string, string | undefined]) => value !== undefined);
    return { attributes, error_kind: error_kind === 'user' || error_kind === 'system' ? error_kind : undefined };
  }
  return NOTHING;
}
