// C4: nothing is faked. The program in the page and the native one run the same seeds; their event logs are equal.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fresh, suite } from './suite.mjs';

const SEEDS = Number(process.env.ZEBU_PROOF_SEEDS ?? 1000);
const AT_ONCE = 20;

const on = suite();

test(`C4: the event logs of ${SEEDS} seeds are equal natively and in the page`, async () => {
  const zebu = process.env.ZEBU;
  assert.ok(zebu, 'ZEBU names the native program');
  const native = promisify(execFile)(zebu, ['sim', '--log-digests', '--seeds', String(SEEDS)], { maxBuffer: 1 << 24 });
  const lab = await fresh(on, { hash: '#/?paused' });
  const lines = [];
  for (let from = 1; from <= SEEDS; from += AT_ONCE) {
    const count = Math.min(AT_ONCE, SEEDS - from + 1);
    lines.push(...(await lab.page.evaluate(([a, n]) => globalThis.zebu.logDigests(a, n), [from, count])).trim().split('\n'));
  }
  const wanted = (await native).stdout.trim().split('\n');
  assert.equal(wanted.length, SEEDS);
  // Seed, lines, bytes, digest.
  assert.deepEqual(lines, wanted);
  assert.ok(new Set(wanted.map((line) => line.split(' ')[3])).size === SEEDS, 'each seed has a log of its own');
});
