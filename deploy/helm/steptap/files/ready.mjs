// Asks every pod behind a name whether it is ready; exit 1, with what the pod says, when one is not or none answers.
import { lookup } from 'node:dns/promises';
import process from 'node:process';

const [name, port] = process.argv.slice(-2);
const addresses = await lookup(name, { all: true });
for (const { address, family } of addresses) {
  const host = family === 6 ? `[${address}]` : address;
  try {
    const answer = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(10_000) });
    console.log(`${host}: ${answer.status} ${(await answer.text()).trim()}`);
    if (!answer.ok) process.exitCode = 1;
  } catch (error) {
    console.log(`${host}: ${error.cause?.message ?? error.message}`);
    process.exitCode = 1;
  }
}
