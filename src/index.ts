/**
 * steptap inside another Node program: the step logs of workflow tasks in, typed events out. The command `steptap` is the same decoder, with stores behind it.
 *
 * @module
 */
export type { Event, LogEvent, OtherEvent, Rejection, ResourceEvent, StepEvent } from './transform/event.ts';
export type { EventOptions } from './transform/options.ts';
export { stepEvents, stepEventsOfLines, type EventStream } from './transform/stream.ts';
