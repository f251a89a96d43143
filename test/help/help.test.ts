import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { everyCommand, parse } from './commands.ts';
import { Place } from './place.ts';

// An example may be several runs with an engine in each.
const TIMEOUT_MS = 120_000;

let place: Place;
beforeAll(async () => {
  place = await Place.make();
});
afterAll(() => place.close());

test('help is the same however it is asked for', async () => {
  const options = { cwd: '/' };
  const [whole, option, ...rest] = await Promise.all(
    [['help'], ['--help'], ['help', 'spool'], ['spool', '--help'], ['spool', 'help', 'ls'], ['spool', 'ls', '-h']].map(
      (args) => runCli(args, options),
    ),
  );
  expect([whole?.code, whole?.stderr, whole?.stdout]).toEqual([0, '', option?.stdout]);
  const [spool, spoolOption, ls, lsOption] = rest;
  expect([spool?.code, spool?.stdout, ls?.code, ls?.stdout]).toEqual([0, spoolOption?.stdout, 0, lsOption?.stdout]);
  expect((await everyCommand())[0]?.help).toBe(whole?.stdout);
});

test('an option that there is not is refused, in what an example calls too', async () => {
  const [words = [], ...others] = await place.calls(
    "cat pod.log |\n  steptap --input 'a b' --no-such-option \\\n  --set x=y",
  );
  expect(others).toEqual([]);
  expect(words).toEqual(['--input', 'a b', '--no-such-option', '--set', 'x=y']);
  await expect(parse(words)).rejects.toThrow("unknown option '--no-such-option'");
  await expect(parse(['spool', 'export', '--table', 'tables'])).rejects.toThrow('Allowed choices are steps');
});

describe.each(await everyCommand())('$name --help', ({ name, help, examples }) => {
  test('fits 80 columns', () => {
    expect(help.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test('has examples, and each is of this command', () => {
    expect(examples, `write a few under "Examples:" in the help of ${name}`).not.toEqual([]);
    expect(examples.join('\n')).toContain(name === 'steptap run' ? 'steptap' : name);
  });

  test('has no option in an example that there is not', async () => {
    for (const example of examples)
      for (const words of await place.calls(example)) await expect(parse(words)).resolves.toBeUndefined();
  });

  test(
    'has examples that work as they stand',
    async () => {
      const home = await place.home(name.replaceAll(' ', '-'));
      for (const example of examples) {
        const { code, said } = await place.run(example, home);
        expect(code, `${example}\n${said}`).toBe(0);
      }
    },
    TIMEOUT_MS,
  );
});
