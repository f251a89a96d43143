export { EventTypes } from './event-types.ts';
export { compileEventTypes } from './compile.ts';
export { EventReader, type TypedEvent } from './reader.ts';
export type { EventMetricsOptions, EventType } from './type.ts';
