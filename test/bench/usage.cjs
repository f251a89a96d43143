// Loaded into a measured process before anything else (--require). Writes to descriptor 3 what the process has used, exactly, when it ends; with
// STEPTAP_BENCH_SAMPLE_MS its resident memory in between. Plain JavaScript, so that no loader is measured.
'use strict';

const { writeSync } = require('node:fs');

const tell = (message) => writeSync(3, `${JSON.stringify(message)}\n`);

const sample_ms = Number(process.env.STEPTAP_BENCH_SAMPLE_MS ?? 0);
if (sample_ms > 0) setInterval(() => tell({ rss: process.memoryUsage.rss() }), sample_ms).unref();

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  tell({ user_s: userCPUTime / 1e6, sys_s: systemCPUTime / 1e6, peak_rss: maxRSS * 1024 });
});
