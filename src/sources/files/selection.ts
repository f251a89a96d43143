import { nameFilter } from './glob.ts';
import type { Place } from '../../kubernetes/path.ts';
import type { Known } from './metadata.ts';
import { filesOptions, type FilesOptions } from './schema.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Which logs are read: by what their paths say, and by the annotations of their pods. */
export class Selection {
  readonly #allowed: (place: Place) => boolean;
  readonly #annotations: readonly string[];
  /** True when a pod that nothing is known of might be one that must not be read. */
  readonly #closed: boolean;

  constructor(options: FilesOptions, environment: Environment) {
    const { namespaces, exclude_namespaces, pods, exclude_pods, containers, exclude_containers } = options;
    const wanted = [
      rule(namespaces, exclude_namespaces, ({ namespace }) => namespace),
      rule(pods, exclude_pods, ({ pod }) => pod),
      rule(containers, exclude_containers, ({ container }) => container),
    ];
    const own = ownPod(environment);
    this.#allowed = (place) => !own(place) && wanted.every((each) => each(place));
    this.#annotations = options.exclude_annotations ?? filesOptions.properties.exclude_annotations.default;
    this.#closed = (options.exclude_annotations ?? []).length > 0;
  }

  /** By its path. One that says nothing of a pod is read, unless only some are. */
  allows(place: Place): boolean {
    return this.#allowed(place);
  }

  /** By its pod's annotations: `unknown` while it must be known and is not. */
  judge({ annotations }: Known): 'read' | 'excluded' | 'unknown' {
    if (annotations === undefined) return this.#closed ? 'unknown' : 'read';
    return this.#annotations.some((name) => annotations.get(name) === 'true') ? 'excluded' : 'read';
  }
}

function rule(
  included: readonly string[] | undefined,
  excluded: readonly string[] | undefined,
  of: (place: Place) => string,
): (place: Place) => boolean {
  const includes = included === undefined ? (): boolean => true : nameFilter(included);
  const excludes = nameFilter(excluded ?? []);
  return (place) => includes(of(place)) && !excludes(of(place));
}

/** Its own lines would come back as lines that it reads. */
function ownPod({ POD_UID, POD_NAMESPACE, POD_NAME }: Environment): (place: Place) => boolean {
  return ({ namespace, pod, pod_uid }) =>
    (POD_UID !== undefined && POD_UID !== '' && pod_uid === POD_UID) ||
    (POD_NAME !== undefined && POD_NAME !== '' && pod === POD_NAME && namespace === POD_NAMESPACE);
}
