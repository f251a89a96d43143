// Takes and releases locks as it is told on standard input, one command a line, and answers each with a line of JSON.
import { createInterface } from 'node:readline';

const { lockState } = await import(process.argv[2]);
const locks = new Map();
process.stdout.write('"ready"\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { take, release } = JSON.parse(line);
  let answer = 'released';
  try {
    if (take !== undefined) {
      locks.set(take, lockState(take));
      answer = 'taken';
    } else locks.get(release).release();
  } catch (error) {
    answer = `${error.name}: ${error.message}`;
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
