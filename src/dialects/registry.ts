import type { Dialect, DialectTools } from './dialect.ts';
import { Orchest } from './orchest/index.ts';

/** Every dialect of JSON lines beside flytekit and the ordinary logs, by the name under which a pipeline sets it, in the order in which they are asked. */
export const DIALECTS: Readonly<Record<string, (tools: DialectTools) => Dialect>> = {
  orchest: (tools) => new Orchest(tools),
};
