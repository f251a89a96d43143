import { styleText } from 'node:util';

export type Severity = 'info' | 'warning' | 'error';

/** steptap's own log: start, ready, stopping, stopped, and trouble. Stdout belongs to data. */
export type Log = (severity: Severity, message: string, details?: Readonly<Record<string, unknown>>) => void;

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** A sentence a line for a person at a terminal, JSON for everybody else. Control characters never get through. */
export function logTo(stream: NodeJS.WriteStream): Log {
  // Whoever read the log may be gone (`2>&1 | head`): that must not end the delivery.
  stream.on('error', () => {});
  if (stream.isTTY) {
    return (severity, message) => {
      const colour = severity === 'error' ? 'red' : severity === 'warning' ? 'yellow' : 'dim';
      const text = `steptap: ${message.replace(CONTROL, ' ')}`;
      stream.write(`${process.env['NO_COLOR'] ? text : styleText(colour, text, { stream })}\n`);
    };
  }
  return (severity, message, details = {}) => {
    stream.write(
      `${JSON.stringify({ time: new Date().toISOString(), level: severity, logger: 'steptap', message, ...details })}\n`,
    );
  };
}
