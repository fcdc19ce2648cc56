// What the benchmarks share: percentiles, the machine's load beside every figure, the best of some runs.

import { loadavg } from 'node:os';

// The value below which this share of the sorted numbers lies.
export function at(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const load = () => `load ${loadavg()[0].toFixed(1)}`;

// Repeats a measurement, prints each, and tells the best by `key`: others may work on the machine meanwhile.
export async function best(times, key, measure) {
  let found;
  for (let run = 1; run <= times; run += 1) {
    const figures = await measure();
    console.log(`  run ${run}: ${words(figures)} (${load()})`);
    if (!found || figures[key] < found[key]) found = figures;
  }
  console.log(`  best: ${words(found)}`);
  return found;
}

function words(figures) {
  return Object.entries(figures).map(([name, value]) => `${name} ${typeof value === 'number' ? Math.round(value * 10) / 10 : value}`).join(', ');
}

// The link of a run of so many events, in which a client of each server writes now and then, and a leader is lost once.
export function longRun(events, { servers = 5, every = 100 } = {}) {
  const commands = [[400, { kill: { server: servers } }], [700, { restart: { server: servers } }]];
  for (let client = 0; client < servers; client += 1) commands.push([900, { connect: { client, server: client + 1 } }]);
  for (let at = 1000, n = 0; at < events && n < 500; at += every, n += 1) {
    commands.push([Math.floor(at), { ask: { client: n % servers, line: n < 40 ? `create /n${n} 0` : `set /n${n % 40} ${n}`, via: null } }]);
  }
  const run = { v: 1, s: null, w: { servers }, l: [{ f: null, c: commands, e: events }], b: 0, m: events, d: '0'.repeat(16), k: [] };
  return `#/r/${Buffer.from(JSON.stringify(run)).toString('base64url')}`;
}

// Where the time goes, by a profile of the page: the functions that ran longest themselves.
export async function profiled(lab, act, most = 25) {
  const devtools = await lab.context.newCDPSession(lab.page);
  await devtools.send('Profiler.enable');
  await devtools.send('Profiler.setSamplingInterval', { interval: 500 });
  await devtools.send('Profiler.start');
  await act();
  const { profile } = await devtools.send('Profiler.stop');
  const own = new Map();
  const whole = new Map();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const add = (map, name, ms) => map.set(name, (map.get(name) ?? 0) + ms);
  for (const [index, id] of profile.samples.entries()) {
    const ms = profile.timeDeltas[index] / 1000;
    const name = (node) => node.callFrame.functionName || '(anonymous)';
    add(own, name(nodes.get(id)), ms);
    const seen = new Set();
    for (let at = id; at !== undefined; at = parents.get(at)) seen.add(name(nodes.get(at)));
    for (const one of seen) add(whole, one, ms);
  }
  for (const [title, map] of [['itself', own], ['with all it calls', whole]]) {
    console.log(`  milliseconds ${title}:`);
    const longest = [...map].filter(([name]) => name !== '(root)').sort((a, b) => b[1] - a[1]).slice(0, most);
    for (const [name, ms] of longest) console.log(`    ${ms.toFixed(0).padStart(7)}  ${name.slice(0, 120)}`);
  }
}

// What the page's main thread worked, by its own clock: that counts nobody else who works on the machine. Gives back a
// function that tells, for each of `times`, the milliseconds since.
export async function worked(lab) {
  const devtools = await lab.context.newCDPSession(lab.page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const read = async () => new Map((await devtools.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value * 1000]));
  const before = await read();
  return async (times) => {
    const now = await read();
    const each = (name) => (now.get(name) - before.get(name)) / times;
    return { script: each('ScriptDuration'), layout: each('LayoutDuration'), style: each('RecalcStyleDuration'), 'all work': each('TaskDuration') };
  };
}
