import { spawn } from 'node:child_process';
import { closeSync, createReadStream, fstatSync, openSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { Socket } from 'node:net';
import { PassThrough, type Readable } from 'node:stream';

/**
 * Takes descriptor 0 away from everybody else in this process, and gives what it was as a stream of its own.
 *
 * The embedded engine is a command-line client inside: on an INSERT it also reads from descriptor 0 what may stand there, and would glue pieces of the log to its
 * data. So it gets /dev/null before it is loaded, even when steptap reads a file. To be called before `process.stdin` is touched; with `read` false when nobody wants the stream.
 */
export function detachStdin(read: boolean): Readable {
  const kind = fstatSync(0);
  if (!read && (kind.isFile() || kind.isFIFO() || kind.isSocket())) {
    blank();
    return process.stdin;
  }
  const fd = kind.isFile() || kind.isFIFO() ? reopened(kind) : undefined;
  if (fd !== undefined && kind.isFile()) {
    const start = offsetOf(0);
    blank();
    return createReadStream('', { fd, start });
  }
  if (fd !== undefined) {
    blank();
    return new Socket({ fd, readable: true, writable: false });
  }
  if (kind.isFile() || kind.isFIFO() || kind.isSocket()) {
    // What cannot be opened anew: another process holds it and passes it on. Of its own group, so that Ctrl-C does not end it first.
    const relay = spawn('cat', { stdio: [0, 'pipe', 'ignore'], detached: true });
    relay.unref();
    relay.once('error', (error) => bytes.destroy(error));
    process.once('exit', () => relay.kill());
    blank();
    // Node throws away what a child that has ended left unread, unless somebody reads it.
    const bytes = relay.stdout!.pipe(new PassThrough());
    // Whoever stops reading does not wait for the other end to close.
    bytes.once('close', () => {
      relay.kill();
      relay.stdout!.destroy();
    });
    return bytes;
  }
  // A terminal or a device: the engine leaves those alone.
  return process.stdin;
}

/** Descriptor 0 opened anew, with a position and flags of its own; undefined where that is not allowed (another user's pipe or file) or would not return. */
function reopened(kind: Stats): number | undefined {
  try {
    // A FIFO with a name: when its writers are gone already, opening it waits for another.
    if (kind.isFIFO() && !readlinkSync('/proc/self/fd/0').startsWith('pipe:')) return undefined;
    return openSync('/proc/self/fd/0', 'r');
  } catch {
    return undefined;
  }
}

/** The lowest free descriptor is taken next: 0. */
function blank(): void {
  closeSync(0);
  openSync('/dev/null', 'r');
}

/** Where a redirected file stands: `(read header; steptap) < file` has read some of it. */
function offsetOf(fd: number): number {
  return Number(/^pos:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? 0);
}
