import type { Dialect, DialectTools } from './dialect.ts';
import { FlyteServices } from './flyte-services/index.ts';
import { Flyte2 } from './flyte2/index.ts';
import { Orchest } from './orchest/index.ts';
import { Rhapsody } from './rhapsody/index.ts';

/** Every dialect beside flytekit and the ordinary logs, by the name under which a pipeline sets it, in the order in which they are asked. */
export const DIALECTS: Readonly<Record<string, (tools: DialectTools) => Dialect>> = {
  flyte2: (tools) => new Flyte2(tools),
  'flyte-services': (tools) => new FlyteServices(tools),
  orchest: (tools) => new Orchest(tools),
  rhapsody: (tools) => new Rhapsody(tools),
};
