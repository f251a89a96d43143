/** What is known of a container by its name and its pod's; `''` where it is not. */
export interface Place {
  readonly namespace: string;
  readonly pod: string;
  /** In the path of a static pod, one that the kubelet has from a file, it is a hash of that file: the API knows it under another. See `isPodOf`. */
  readonly pod_uid: string;
  readonly container: string;
}

export interface LogPath extends Place {
  /** How often the container was started before; undefined where the path does not say. */
  readonly restart: number | undefined;
}

/** `/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart>.log`, and what the kubelet makes of it when it rotates: `0.log.20260219-103044.gz`. */
const PODS = /(?:^|\/)([^/_]+)_([^/_]+)_([^/_]+)\/([^/_]+)\/(\d{1,9})\.log(?:\.\d{8}-\d{6}(?:\.gz|\.tmp)?)?$/;
/** `/var/log/containers/<pod>_<namespace>_<container>-<id of the container>.log`: a link to the other, without UID and restart. */
const CONTAINERS = /(?:^|\/)([^/_]+)_([^/_]+)_([^/_]+)-[0-9a-f]{64}\.log$/;

/** What the path of a log says about its container; undefined if it is no such path. */
export function readLogPath(path: string): LogPath | undefined {
  const pods = PODS.exec(path);
  if (pods !== null) {
    const [, namespace = '', pod = '', pod_uid = '', container = '', restart = ''] = pods;
    return { namespace, pod, pod_uid, container, restart: Number(restart) };
  }
  const containers = CONTAINERS.exec(path);
  if (containers === null) return undefined;
  const [, pod = '', namespace = '', container = ''] = containers;
  return { namespace, pod, pod_uid: '', container, restart: undefined };
}
