import type { App, Origin } from '../../origin.ts';

/** The services of Flyte's charts, by the name that their pods are labelled with, and by which part of Flyte they are. */
const PARTS: Readonly<Record<string, string>> = {
  flytepropeller: 'propeller',
  'flytepropeller-manager': 'propeller-manager',
  flyteadmin: 'admin',
  flytescheduler: 'scheduler',
  datacatalog: 'datacatalog',
  cacheservice: 'cacheservice',
  'flyte-pod-webhook': 'webhook',
  flytecopilot: 'copilot',
};

const SERVICES: ReadonlyMap<string, App> = new Map(
  Object.entries(PARTS).map(([app, component]) => [app, { app, component }]),
);
/** All of them in one process, which say by their lines which they are. */
const BINARY = 'flyte-binary';

/** One of them, and nobody says which. */
export const SOME: App = { app: 'flyte', component: 'flyte' };
const PROPELLER = SERVICES.get('flytepropeller')!;
const ADMIN = SERVICES.get('flyteadmin')!;

/** Those of Flyte 2 say their name: past this many somebody else does. */
const MOST = 64;
const named = new Map<string, App>();

const known = new WeakMap<Origin, App | 'none'>();

/** The service whose pod it is; undefined when labels, owner and container say nothing of Flyte's. */
export function serviceOf(origin: Origin): App | undefined {
  let service = known.get(origin);
  if (service === undefined) {
    const { labels, owner, container } = origin.fields;
    const names = [labels.get('app.kubernetes.io/name'), labels.get('app'), owner?.name, container];
    const name = names.find((each) => each !== undefined && (SERVICES.has(each) || each === BINARY));
    service = name === undefined ? 'none' : (SERVICES.get(name) ?? SOME);
    known.set(origin, service);
  }
  return service === 'none' ? undefined : service;
}

/** The service that a line is of, by what it says; `flyte` when it does not. `text`: of a line that is no JSON. */
export function serviceOfLine(context: ReadonlyMap<string, string>, text: string): App {
  const service_name = context.get('service_name') ?? (context.get('controller') === 'taskaction' ? 'executor' : '');
  if (service_name !== '') return ofName(service_name);
  if (context.has('x-request-id')) return ADMIN;
  if (context.has('routine') || (context.has('exec_id') && context.has('node'))) return PROPELLER;
  const [, name] = /\b(flyte(?:admin|propeller|scheduler|copilot)|propeller-leader)\b/.exec(text.slice(0, 4_096)) ?? [];
  return name === undefined ? SOME : (SERVICES.get(name) ?? PROPELLER);
}

/** One object for each: what an origin makes of one is kept by it. */
function ofName(component: string): App {
  let app = named.get(component);
  if (app === undefined) {
    if (named.size >= MOST || component.length > 100) return SOME;
    app = { app: 'flyte', component };
    named.set(component, app);
  }
  return app;
}
