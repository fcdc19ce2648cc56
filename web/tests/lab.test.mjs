// The lab in Chromium: what the page promises to a class, tested through the names a screen reader reads.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { committedOf, zxid } from './page.mjs';
import { fresh, suite } from './suite.mjs';

const on = suite();
let lab;

beforeEach(async () => {
  lab = await fresh(on);
});

const agreed = (servers) => new Set(servers.map((server) => `${server.logged} ${server.committed}`)).size === 1;

test('five servers elect a leader by themselves', async () => {
  await lab.hurry();
  const leader = await lab.leader();
  const servers = await lab.servers();
  assert.deepEqual(servers.map((server) => server.id), [1, 2, 3, 4, 5]);
  assert.equal(leader.epoch, 1);
});

test('after the leader is killed another leads in a higher epoch, and the dead one comes back as a follower', async () => {
  await lab.hurry();
  const first = await lab.leader();
  await lab.press(`Kill server ${first.id}`);
  await lab.until('the killed one is down', (servers) => servers[first.id - 1].state === 'down');
  const second = await lab.leader({ after: first.epoch });
  assert.notEqual(second.id, first.id);
  await lab.press(`Restart server ${first.id}`);
  await lab.until('it follows again, in the new epoch', (all) => {
    const back = all[first.id - 1];
    return back.state === 'following' && back.epoch === second.epoch;
  });
});

test('a write on the minority side never commits, the majority goes on, and healing makes all logs equal', async () => {
  await lab.hurry();
  const leader = await lab.leader();
  await lab.send('create /before 1', leader.id);
  // The client's session is the first transaction, its write the second.
  const written = zxid(`${leader.epoch}:2`);
  const start = await lab.until('the first write is everywhere', (all) => agreed(all) && committedOf(all[0]) >= written);
  const all = start.map((server) => server.id);
  const minority = [leader.id, all.find((id) => id !== leader.id)];
  const majority = all.filter((id) => !minority.includes(id));

  await lab.pause();
  await lab.cut(minority, majority);
  await lab.send('create /lost 1', leader.id);
  await lab.play();
  const second = await lab.leader({ after: leader.epoch, of: majority });
  await lab.send('create /kept 1', second.id);
  const split = await lab.until('the majority commits', (servers) =>
    majority.every((id) => committedOf(servers[id - 1]) > zxid(`${second.epoch}:0`)),
  );
  for (const id of minority) {
    assert.equal(split[id - 1].committed, start[id - 1].committed, `server ${id} committed without a majority`);
  }

  await lab.cut(minority, majority, 'Heal');
  await lab.leader();
  const healed = await lab.until('all logs agree', agreed);
  assert.ok(healed.every((server) => committedOf(server) > committedOf(start[0])));
});

test('a step back after a step gives the identical digest', async () => {
  await lab.hurry();
  await lab.leader();
  await lab.pause();
  const digests = [await lab.text('digest')];
  for (let step = 0; step < 12; step += 1) {
    await lab.press('Step');
    digests.push(await changed(digests.at(-1)));
  }
  for (let step = 11; step >= 0; step -= 1) {
    await lab.press('Step back');
    await waitForDigest(digests[step], `after going back to step ${step}`);
  }
  for (let step = 1; step <= 12; step += 1) {
    await lab.press('Step');
    await waitForDigest(digests[step], `after going forward again to step ${step}`);
  }
});

test('a paused lab stands still', async () => {
  await lab.leader();
  await lab.pause();
  const digest = await lab.text('digest');
  await lab.page.waitForTimeout(1500);
  assert.equal(await lab.text('digest'), digest);
});

test('the keyboard alone plays, steps and goes back', async () => {
  await lab.hurry();
  await lab.leader();
  await lab.pause();
  await lab.page.evaluate(() => document.activeElement?.blur());
  const digest = await lab.text('digest');
  await lab.page.keyboard.press('ArrowRight');
  await changed(digest);
  await lab.page.keyboard.press('ArrowLeft');
  await waitForDigest(digest, 'after the left arrow');
  await lab.page.keyboard.press('Space');
  await lab.button('Pause').first().waitFor({ state: 'attached' });
});

test('the same seed and address give the same digest at the same event', async () => {
  const hash = '#/?servers=7&seed=42&step=300';
  const digests = [];
  for (let run = 0; run < 2; run += 1) {
    const page = await fresh(on, { hash });
    digests.push(`${await page.text('events')} ${await page.text('digest')}`);
  }
  assert.equal(digests[0], digests[1]);
  assert.match(digests[0], /^300 /);
});

// The digest once it is another one than before.
async function changed(before) {
  for (let tries = 0; tries < 400; tries += 1) {
    const now = await lab.text('digest');
    if (now !== before) return now;
    await lab.page.waitForTimeout(10);
  }
  throw new Error(`the digest stays ${before}`);
}

async function waitForDigest(expected, when) {
  let now;
  for (let tries = 0; tries < 400; tries += 1) {
    now = await lab.text('digest');
    if (now === expected) return;
    await lab.page.waitForTimeout(10);
  }
  assert.equal(now, expected, when);
}
