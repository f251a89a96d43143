// The slowest steps of a log, as a program of your own:
//
//     kubectl logs POD | node pipelines/examples/slow-steps.mjs
//
import { stepEvents } from 'steptap';

const events = process.stdin.pipe(stepEvents({ logs: false }));
events.on('rejection', ({ offset, reason, detail }) => {
  console.error(`line at offset ${offset}: ${reason}: ${detail}`);
});

const slowest = new Map();
for await (const event of events) {
  if (event.kind === 'step' && (slowest.get(event.step) ?? 0) < event.wall_time_s) {
    slowest.set(event.step, event.wall_time_s);
  }
}
for (const [step, seconds] of [...slowest].sort((a, b) => b[1] - a[1]).slice(0, 5)) {
  console.log(`${seconds.toFixed(1).padStart(8)} s  ${step}`);
}
