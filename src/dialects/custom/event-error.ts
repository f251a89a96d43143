/** Says what is wrong with an event's options, and where in them: `['epoch', 'fields', 'ts', 'unit']`. */
export class EventError extends Error {
  override readonly name = 'EventError';
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[], message: string) {
    super(message);
    this.path = path;
  }
}
