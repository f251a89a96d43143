// What is measured beside the whole job, each in a process of its own: node loops.mjs LOOP FILE [...]. Plain JavaScript on the built code, so that no
// loader is measured.

import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const READ_BYTES = 1 << 20;
const PIPE_BYTES = 1 << 16;

/** Reads a file in pieces of `size` bytes; each is gone with the next one. */
function* pieces(path, size) {
  const file = openSync(path, 'r');
  const buffer = Buffer.allocUnsafe(size);
  for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) yield buffer.subarray(0, read);
  closeSync(file);
}

/** The yardstick: split into lines, JSON.parse from the first brace on. */
function parse(path) {
  let rest = '';
  let parsed = 0;
  for (const piece of pieces(path, READ_BYTES)) {
    const lines = (rest + piece.latin1Slice()).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const start = line.indexOf('{');
      if (start === -1) continue;
      try {
        JSON.parse(line.slice(start));
        parsed += 1;
      } catch {
        // Some are no JSON.
      }
    }
  }
  return parsed;
}

/** Lines to batches of rows, and nothing else. */
async function decode(path, fast) {
  const [{ Decoder }, { LineCutter }, { Slabs }, { systemClock }, { UTC }, { PRIVACY_DEFAULTS }] = await Promise.all(
    ['decode', 'framing/lines', 'slabs', 'clock', 'zone', 'privacy/rules'].map(
      (part) => import(`../../dist/${part}.js`),
    ),
  );
  const max_line_bytes = READ_BYTES;
  const constants = { namespace: 'ml-production', pod: 'p-n0-0' };
  const options = { constants, privacy: PRIVACY_DEFAULTS, zone: UTC, max_line_bytes, logs: false, fast };
  const source = { name: path, position: (offset) => ({ path, offset }) };
  const slabs = new Slabs();
  const decoder = new Decoder(source, options, systemClock, slabs);
  const cutter = new LineCutter(max_line_bytes);
  let events = 0;
  const take = ({ batch }) => {
    for (const { table, bytes, ends } of batch.rows) {
      if (table !== 'rejections') events += ends.length;
      slabs.give(bytes.buffer);
    }
  };
  for (const piece of pieces(path, READ_BYTES >> 2)) {
    for (const chunk of cutter.push(piece)) take(decoder.feed(chunk));
  }
  for (const chunk of cutter.end()) take(decoder.feed(chunk));
  take(decoder.flush('all'));
  return events;
}

/** Writes the file to standard output again and again, and to descriptor 3 how many bytes went into the pipe. */
function repeat(path, times) {
  let written = 0;
  let told = 0;
  for (let n = 0; n < times; n++) {
    for (const piece of pieces(path, PIPE_BYTES)) {
      for (let at = 0; at < piece.length;) at += writeSync(1, piece, at);
      written += piece.length;
      if (written - told < READ_BYTES) continue;
      told = written;
      writeSync(3, `${JSON.stringify({ written })}\n`);
    }
  }
}

const [loop, path, times] = process.argv.slice(2);
if (loop === 'parse') console.log(parse(path));
else if (loop === 'decode') console.log(await decode(path, true));
else if (loop === 'reference') console.log(await decode(path, false));
else if (loop === 'repeat') repeat(path, Number(times));
else throw new Error(`there is no loop ${loop}`);
