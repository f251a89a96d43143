type Fields = Readonly<Record<string, unknown>>;

/** Where the pods of a node are, or all pods. */
export function podsPath(node: string | undefined, query: Readonly<Record<string, string>>): string {
  const selector = node === undefined ? {} : { fieldSelector: `spec.nodeName=${node}` };
  return `/api/v1/pods?${new URLSearchParams({ ...selector, ...query }).toString()}`;
}

export interface Page {
  readonly items: readonly unknown[];
  /** Of the whole list: from it on there is something to watch. */
  readonly version: string;
  /** Where the next page is; `''` behind the last. */
  readonly next: string;
}

/** A page of a list of pods; undefined when an answer is none. */
export function pageOf(answer: Fields): Page | undefined {
  const { kind, items } = answer;
  const { resourceVersion: version, continue: next } = metadataOf(answer);
  if (kind !== 'PodList' || !Array.isArray(items) || typeof version !== 'string') return undefined;
  return { items, version, next: typeof next === 'string' ? next : '' };
}

export function metadataOf({ metadata }: Fields): Fields {
  return typeof metadata === 'object' && metadata !== null ? (metadata as Fields) : {};
}
