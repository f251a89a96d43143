// Given to Node with --import: the wall clock of this process is STEPTAP_DAYS_AGO days behind. Nothing else is changed.
const behind_ms = Number(process.env.STEPTAP_DAYS_AGO ?? 0) * 86_400_000;
const now = Date.now;
Date.now = () => now() - behind_ms;
