// Kills the process at one point of its work with the disk, and nowhere else. Given to node with --import, before steptap's own main module:
//
//   STEPTAP_CRASH='cursor.write part 3'    in the middle of the third write of a cursor
//
// What is patched is the one object through which the spool and the cursors reach the file system, and, for the dead letters' files, the
// handles of node itself. Nothing of steptap knows of it.

import { readlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { diskFs } from '../../dist/spool/files.js';

const [operation, place, nth] = (process.env.STEPTAP_CRASH ?? '').split(' ');
let seen = 0;

/** True for the one call that is meant; `when` is before, part or after. */
function meant(name, when) {
  if (name !== operation || when !== place) return false;
  seen += 1;
  return seen === Number(nth);
}

function die(name, when) {
  writeSync(2, `crash: ${name} ${when}\n`);
  process.kill(process.pid, 'SIGKILL');
}

/** Around a call: `part` does a part of it. */
async function around(name, work, part) {
  if (meant(name, 'before')) die(name, 'before');
  if (part !== undefined && meant(name, 'part')) {
    await part();
    die(name, 'part');
  }
  const result = await work();
  if (meant(name, 'after')) die(name, 'after');
  return result;
}

function nameOf(path) {
  if (path.endsWith('.seg')) return 'segment';
  if (path.endsWith('.idx')) return 'index';
  return /\/(cursor|prometheus)\.[a-z0-9-]+$/.exec(path)?.[1] ?? 'other';
}

// Byte 4 of a record says what it is.
const KINDS = ['', 'snapshot', 'batch', 'seal'];
const isRecord = (piece) => piece?.length > 100 && piece[0] === 0xfe && piece[1] === 0xf8;

function half(pieces) {
  const bytes = Buffer.concat(pieces);
  return [bytes.subarray(0, Math.max(1, bytes.length >> 1))];
}

const plain = { ...diskFs };
diskFs.open = async (path, how) => {
  const name = nameOf(path);
  const opened = () => plain.open(path, how);
  const file = await (how === 'create' ? around(`${name}.create`, opened) : opened());
  let last = name;
  const write = file.write.bind(file);
  file.write = (pieces, position) => {
    if (name === 'segment' && isRecord(pieces[0])) last = KINDS[pieces[0][4]];
    return around(
      `${last}.write`,
      () => write(pieces, position),
      () => write(half(pieces), position),
    );
  };
  const datasync = file.datasync.bind(file);
  file.datasync = () => around(`${last}.sync`, datasync);
  const truncate = file.truncate.bind(file);
  file.truncate = (length) => around(`${name}.truncate`, () => truncate(length));
  return file;
};

diskFs.unlink = (path) => around(`${nameOf(path)}.unlink`, () => plain.unlink(path));

const handle = await open('/dev/null');
const prototype = Object.getPrototypeOf(handle);
await handle.close();
const isLetters = (file) => /\/dead-letters\/rejections-\d+\.ndjson$/.test(readlinkSync(`/proc/self/fd/${file.fd}`));

const { write, datasync } = prototype;
prototype.write = function (bytes, offset, length, position) {
  const whole = () => write.call(this, bytes, offset, length, position);
  if (!isLetters(this)) return whole();
  return around('letters.write', whole, () => write.call(this, bytes, offset, Math.max(1, length >> 1), position));
};
prototype.datasync = function () {
  const whole = () => datasync.call(this);
  return isLetters(this) ? around('letters.sync', whole) : whole();
};
