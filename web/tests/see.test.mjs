// What is seen and taught in the lab: the rows See, Teach, Check and Quality of its table, by their ids.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder, midWrite, tools } from './page.mjs';
import { fresh, suite } from './suite.mjs';

const axe = readFileSync(createRequire(join(tools, 'package.json')).resolve('axe-core/axe.min.js'), 'utf8');

const on = suite();
const open = (options) => fresh(on, options);

// A scenario at its nth passage.
async function passage(name, n, options = {}) {
  const lab = await open({ hash: `#/s/${name}`, ...options });
  for (let tries = 0; tries < 200; tries += 1) {
    const here = Number((await lab.text('chapter')).split('/')[0]);
    if (here >= n) break;
    await lab.press('Next');
    await lab.page.waitForTimeout(40);
  }
  assert.match(await lab.text('chapter'), new RegExp(`^${n} / `));
  return lab;
}

const settle = (lab) => lab.page.waitForTimeout(150);

test('opening: a newcomer sees the classroom example, narrated and playing, and Free mode leaves it', async () => {
  const lab = await open({ hash: '' });
  await lab.page.getByText('Five servers, one after the other').first().waitFor();
  await lab.button('Pause').first().waitFor({ state: 'attached' });
  assert.match(await lab.text('note'), /Server 1 starts alone/);
  const before = Number(await lab.text('events'));
  await lab.page.waitForTimeout(1500);
  assert.ok(Number(await lab.text('events')) > before, 'it plays');
  await lab.press('Free mode');
  await lab.page.getByTestId('note').waitFor({ state: 'detached' });
  await lab.hurry();
  await lab.leader();
});

test('V1 V7: what a server is stands on it in words and numbers, and its phases along the timeline', async () => {
  const lab = await open({ hash: '#/s/leader-crash?run=end' });
  await lab.page.getByTestId('trace-digest').waitFor({ state: 'attached' });
  const leader = (await lab.servers()).find((server) => server.state === 'leading');
  const name = await lab.page.locator(`.server[data-id="${leader.id}"]`).getAttribute('aria-label');
  assert.match(name, /leading/i);
  const words = await lab.page.locator('.server .word').allTextContents();
  assert.equal(words.filter((word) => word === 'LEADING').length, 1, `${words}`);
  assert.deepEqual(await lab.page.locator('.server .number').allTextContents(), ['1', '2', '3', '4', '5']);
  const beside = (await lab.page.locator('.stage-svg .label text').allTextContents()).join(' ');
  for (const server of await lab.servers()) {
    if (server.state === 'down') continue;
    assert.ok(beside.includes(server.logged) && beside.includes(server.committed), `${JSON.stringify(server)} in ${beside}`);
  }
  const bands = await lab.page.locator('.bands .band').evaluateAll((all) => all.map((band) => [...band.classList].join(' ')));
  for (const phase of ['looking', 'joining', 'syncing', 'leads', 'follows', 'gone']) {
    assert.ok(bands.some((band) => band.includes(phase)), `${phase} in ${[...new Set(bands)]}`);
  }
  // The phase is a word, too, wherever there is room for it, and no word is cut.
  const said = await lab.page.locator('.bands .band').evaluateAll((all) => all.flatMap((band) => {
    const word = band.querySelector('span');
    if (!word || getComputedStyle(word).display === 'none') return [];
    return [{ word: word.textContent, fits: word.scrollWidth <= band.clientWidth, wide: band.clientWidth }];
  }));
  assert.ok(said.some(({ word }) => word === 'BROADCAST'), `${said.map(({ word }) => word)}`);
  assert.deepEqual(said.filter(({ fits }) => !fits), []);
});

test('L3: the stage marks the server of which the caption speaks, while it stands', async () => {
  const lab = await open({ hash: '#/s/leader-crash?paused' });
  const marked = new Set();
  for (let step = 0; step < 60; step += 1) {
    await lab.press('Step');
    await lab.page.waitForFunction((n) => document.querySelector('.status .mono').textContent.includes(`event ${n} `), step + 1);
    const [ids, said] = await lab.page.evaluate(() => [
      [...document.querySelectorAll('.server.spoken')].map((server) => server.dataset.id), document.querySelector('.happened .say').textContent,
    ]);
    assert.ok(ids.length <= 1, `${ids}`);
    for (const id of ids) {
      assert.match(said, new RegExp(`\\b${id}\\b`));
      marked.add(id);
    }
  }
  assert.ok(marked.size >= 3, `${[...marked]}`);
});

test('V8: a znode that differs from the leader\'s is marked', async () => {
  const lab = await open({ hash: '#/?' });
  await lab.hurry();
  const leader = await lab.leader();
  await lab.send('create /a 1', leader.id);
  await lab.until('it is everywhere', (all) => all.every((server) => server.committed === all[0].committed && server.committed !== '1:0'));
  await lab.pause();
  const other = leader.id === 1 ? 2 : 1;
  await lab.press(`Pause server ${other}`);
  await lab.send('create /b 1', leader.id);
  await lab.play();
  await lab.until('the others have it', (all) => all.filter((s) => s.id !== other).every((s) => s.committed === all[leader.id - 1].committed && s.committed.endsWith(':3')));
  await lab.pause();
  await lab.page.evaluate(() => document.activeElement?.blur());
  await lab.page.keyboard.press(String(other));
  await lab.page.locator('.znode.missing[data-path="/b"]').waitFor({ state: 'attached' });
  assert.match(await lab.page.locator('.tree-pane').textContent(), /differ from the leader/);
});

test('L3 L4: what happens is said in words, with the reason', async () => {
  const lab = await open({ hash: '#/?paused' });
  const said = new Map();
  for (let i = 0; i < 60; i += 1) {
    await lab.page.evaluate(() => document.activeElement?.blur());
    await lab.page.keyboard.press('Shift+ArrowRight');
    await settle(lab);
    said.set(await lab.text('caption'), await lab.text('why'));
    if ([...said.values()].some((why) => /same epoch/.test(why)) && said.size > 6) break;
  }
  assert.ok(said.size > 6, `${[...said.keys()]}`);
  assert.ok([...said.values()].some((why) => /same epoch, same zxid, larger id \(\d against \d\)/.test(why)), `${[...said.values()].join(' | ')}`);
});

test('V2 V3 V4: votes are labelled, clocks have an arc, the board names the comparison that wins', async () => {
  const lab = await open({ hash: '#/?paused' });
  for (let i = 0; i < 40 && !(await lab.page.getByTestId('decided').count()); i += 1) await lab.press('Step');
  assert.match(await lab.text('decided'), /wins: same epoch, same zxid, larger id \(\d against \d\)/);
  const rows = await lab.page.getByTestId('ballots').first().locator('tbody tr').count();
  assert.ok(rows >= 2, `${rows} ballots`);
  assert.ok(await lab.page.locator('[data-clock]').count(), 'an arc is drawn');
  let labels = [];
  const votes = () => labels.some((label) => /^VOTE \d \(\d+:\d+\)$/.test(label));
  for (let i = 0; i < 40 && !votes(); i += 1) {
    await lab.press('Step');
    await settle(lab);
    labels = await lab.page.locator('.packet:not([display="none"]) text').allTextContents();
  }
  assert.ok(votes(), JSON.stringify(labels));
});

test('V5 V6 V9 V10 V16: meters, stamps, watches, disks and what only a leader knows', async () => {
  const lab = await passage('leader-in-minority', 3);
  const meter = lab.page.locator('[data-acks="2/3"]');
  for (let i = 0; i < 60 && !(await meter.count()); i += 1) await lab.press('Step');
  await meter.first().waitFor({ state: 'attached', timeout: 2000 });
  assert.match(await lab.page.locator('[data-acks]').first().textContent(), /2 of 3 needed/);
  const stamps = await lab.page.locator('.ledger td.cell .sr').allTextContents();
  assert.ok(stamps.some((s) => /acknowledged/.test(s)) && stamps.some((s) => /applied/.test(s)), 'both in words');
  await lab.page.evaluate(() => document.activeElement?.blur());
  await lab.page.keyboard.press('5');
  await settle(lab);
  const facts = () => lab.page.getByTestId('inspector').locator('[data-fact]').evaluateAll((all) => all.map((f) => f.dataset.fact));
  assert.ok((await facts()).includes('see.learners'));
  assert.match(await lab.page.locator('[data-fact="see.disk.log"]').first().textContent(), /log\.100000001: 1:1 to 1:4/);
  await lab.page.keyboard.press('1');
  await settle(lab);
  assert.ok(!(await facts()).includes('see.learners'), 'leader-only facts are hidden on others');

  const watch = await passage('one-shot-watch', 2);
  await watch.page.evaluate(() => document.activeElement?.blur());
  await watch.page.keyboard.press('1');
  await watch.page.locator('.znode[data-path="/config"] .eye').waitFor({ state: 'attached' });
  await watch.press('To the end');
  await watch.page.locator('.znode[data-path="/config"] .eye').waitFor({ state: 'detached' });
});

test('V2: nothing lies on what is written on a message', async () => {
  for (const viewport of [{ width: 1920, height: 1080 }, { width: 390, height: 844 }]) {
    const lab = await open({ hash: '#/?paused', viewport });
    await lab.play();
    await midWrite(lab);
    for (let i = 0; i < 60 && !(await lab.page.locator('.packet.request:not([display="none"])').count()); i += 1) await lab.press('Step');
    await settle(lab);
    const { seen, covered } = await lab.page.evaluate(() => {
      const [covered, stage] = [[], document.querySelector('.stage-svg').getBoundingClientRect()];
      let seen = 0;
      for (const packet of document.querySelectorAll('.packet:is(.request, .reply):not([display="none"])')) {
        const box = packet.querySelector('rect').getBoundingClientRect();
        for (const share of [0.15, 0.5, 0.85]) {
          const [x, y] = [box.x + box.width * share, box.y + box.height / 2];
          if (x < stage.left || x > stage.right || y < stage.top || y > stage.bottom) covered.push(`${packet.textContent} is off the stage`);
          const top = document.elementFromPoint(x, y);
          if (!top?.closest('.packet')) covered.push(`${packet.textContent}: ${top?.outerHTML.slice(0, 80)}`);
          seen += 1;
        }
      }
      return { seen, covered };
    });
    assert.ok(seen > 0, 'something is under way');
    assert.deepEqual(covered, [], `${viewport.width}`);
  }
});

test('on a laptop the buttons of the stage leave the server at the top alone', async () => {
  const lab = await passage('leader-in-minority', 2, { viewport: { width: 1366, height: 768 } });
  const on = await lab.page.evaluate(() => {
    const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    const discs = [...document.querySelectorAll('.server .ring')].map((disc) => disc.getBoundingClientRect());
    const buttons = [...document.querySelectorAll('.views > *')];
    return buttons.filter((button) => discs.some((disc) => meets(button.getBoundingClientRect(), disc))).map((b) => b.textContent);
  });
  assert.deepEqual(on, []);
});

test('a change of members is told in short, with both quorums, and leaves the stage its place on a phone', async () => {
  const lab = await passage('members-change', 3, { viewport: { width: 390, height: 844 } });
  const stage = await lab.page.locator('.stage-box').boundingBox();
  const pane = await lab.page.locator('.members-pane').boundingBox();
  assert.ok(pane.y >= stage.y + stage.height, `the pane is at ${pane.y}, the stage ends at ${stage.y + stage.height}`);
  const words = () => lab.page.locator('.label').allTextContents();
  for (let i = 0; i < 60 && !(await words()).some((word) => word.includes('old:')); i += 1) await lab.press('Next');
  assert.ok((await words()).some((word) => /old: \d of 2\s*new: \d of 3/.test(word)), JSON.stringify(await words()));
  const asked = lab.page.locator('.talk .brief').first();
  assert.equal(await asked.locator('summary').textContent(), 'reconfig join: 4, 5');
  assert.match(await asked.locator('p').textContent(), /^reconfig server\.4=.*server\.5=/);
});

test('V11 V12: the space-time diagram has the same run, and an event lights its causes and effects', async () => {
  const lab = await passage('leader-in-minority', 3);
  for (let i = 0; i < 3; i += 1) await lab.press('Step');
  await lab.press('Space–time');
  await lab.page.getByTestId('spacetime').waitFor();
  assert.ok(await lab.page.locator('.st-line[data-fate="held"]').count(), 'messages held by the cut');
  const dots = lab.page.locator('.st-dot');
  await dots.nth(Math.floor((await dots.count()) / 2)).dispatchEvent('click');
  const picked = await lab.text('picked');
  const [, causes, effects] = picked.match(/(\d+) causes and (\d+) effects/).map(Number);
  assert.ok(causes > 0 && effects > 0, picked);
  await lab.press('Stage');
  assert.ok(await lab.page.locator('.lit-ring').count(), 'the same selection on the stage');
});

test('V14: the figures are counts of the event log', async () => {
  const lab = await open({ hash: '#/?step=400' });
  await lab.page.getByRole('tab', { name: 'Figures' }).click();
  const count = async (name) => Number(await lab.page.locator(`[data-count="${name}"]`).textContent());
  const sent = await count('sent');
  assert.ok(sent > 100 && (await count('delivered')) <= sent && (await count('syncs')) > 5);
  await lab.press('Step back');
  await settle(lab);
  assert.ok((await count('sent')) <= sent);
});

test('V15: L opens a legend of exactly what is on the screen', async () => {
  const lab = await passage('leader-in-minority', 2);
  await lab.page.evaluate(() => document.activeElement?.blur());
  await lab.page.keyboard.press('l');
  const glyphs = await lab.page.getByTestId('legend').locator('[data-glyph]').evaluateAll((all) => all.map((g) => g.dataset.glyph));
  for (const sign of ['leader', 'follower', 'cut', 'epoch', 'client']) assert.ok(glyphs.includes(sign), `${sign} in ${glyphs}`);
  for (const sign of ['down', 'looking', 'observer', 'slow']) assert.ok(!glyphs.includes(sign), `${sign} is not on the screen`);
  await lab.page.keyboard.press('l');
  await lab.page.getByTestId('legend').waitFor({ state: 'detached' });
});

test('V17: geometries, and a server that is dragged', async () => {
  const lab = await open({ hash: '#/?step=300' });
  const places = () => lab.page.locator('.server').evaluateAll((all) => all.map((s) => s.getAttribute('transform')));
  const ring = await places();
  for (const name of ['row', 'centres']) {
    await lab.page.getByLabel('How the servers stand').selectOption(name);
    await settle(lab);
    assert.notDeepEqual(await places(), ring);
  }
  const box = await lab.page.locator('.server[data-id="2"] .ring').boundingBox();
  await lab.page.mouse.move(box.x + box.width / 2, box.y + 12);
  await lab.page.mouse.down();
  await lab.page.mouse.move(box.x + box.width / 2 + 60, box.y + 60, { steps: 4 });
  await lab.page.mouse.up();
  await lab.button('Back to their places').first().waitFor();
  assert.equal(await lab.page.locator('.menu').count(), 0, 'a drag opens no menu');
});

test('L1 L2 L5: chapters, keys, a question that nobody has to answer', async () => {
  const lab = await open({ hash: '#/s/one-after-the-other' });
  await lab.page.evaluate(() => document.activeElement?.blur());
  const at = async () => Number((await lab.text('chapter')).split('/')[0]);
  const box = () => lab.button('Next').first().boundingBox();
  const fixed = await box();
  // Twice a key: the first begins the passage, the second ends the waiting at once.
  for (const key of ['Enter', 'PageDown', '.', 'ArrowDown']) {
    const before = await at();
    for (let i = 0; i < 4 && (await at()) === before; i += 1) {
      await lab.page.keyboard.press(key);
      await settle(lab);
    }
    assert.ok((await at()) > before || before === 5, `${key} goes on from ${before}`);
    assert.deepEqual(await box(), fixed, 'Next stays where it is');
  }
  const end = await at();
  await lab.page.keyboard.press('PageUp');
  await settle(lab);
  await lab.page.keyboard.press('ArrowUp');
  await settle(lab);
  assert.ok((await at()) < end);

  const asked = await passage('one-after-the-other', 2);
  await asked.page.getByTestId('predict').getByRole('button', { name: 'server 5' }).dispatchEvent('click');
  const verdict = asked.page.locator('[data-verdict]');
  for (let turn = 0; turn < 5 && await verdict.count() === 0; turn += 1) {
    await asked.press('Next');
    await settle(asked);
  }
  await asked.page.locator('[data-verdict="wrong"]').waitFor();
  // The passage in which it happens does not tell it; the one behind does.
  const before = await passage('one-after-the-other', 3);
  assert.equal(await before.page.getByTestId('predict').locator('.question').count(), 1);
  assert.equal(await before.page.locator('[data-verdict]').count(), 0);
  const silent = await passage('one-after-the-other', 4);
  await silent.page.locator('[data-verdict="open"]').waitFor();
});

test('L6 C1 C2 C3: the challenge, its broken rule, and a search that finds a short run', async () => {
  const lab = await open({ hash: '#/s/split-brain-challenge?run=end' });
  const state = lab.page.getByTestId('challenge').locator('.state');
  assert.match(await state.textContent(), /attempt 1 · all rules hold/);
  const chips = await lab.page.getByTestId('checks').locator('.chip').allTextContents();
  for (const name of ['Leadership1', 'Leadership2', 'PrefixConsistency', 'Integrity', 'Agreement', 'TotalOrder', 'LocalPrimaryOrder', 'GlobalPrimaryOrder', 'PrimaryIntegrity']) {
    assert.ok(chips.some((chip) => chip.startsWith(name)), name);
  }
  await lab.press('Give up: why not?');
  await lab.page.locator('.proof').waitFor();
  await lab.press('Try again');
  assert.match(await state.textContent(), /attempt 2/);
  await lab.press('Search for a run that breaks a rule');
  await lab.page.getByTestId('notice').waitFor({ timeout: 30_000 });
  const [, events] = (await lab.page.getByTestId('notice').textContent()).match(/(\d+) events are enough/);
  assert.ok(Number(events) <= 20, `${events} events`);
  for (let i = 0; i < Number(events); i += 1) await lab.press('Step');
  await lab.page.locator('[data-broken]').first().waitFor();
  assert.ok(await lab.page.locator('[data-broken] .btn').count(), 'the event is named');
});

test('L7: stage mode has words of 24 pixels and more, a black screen and a large pointer', async () => {
  const lab = await passage('leader-in-minority', 3, { viewport: { width: 1920, height: 1080 } });
  await lab.page.evaluate(() => document.activeElement?.blur());
  await lab.page.keyboard.press('p');
  await lab.page.waitForTimeout(400);
  const small = await lab.page.evaluate(() => {
    const seen = [];
    for (const element of document.querySelectorAll('.app *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      if (!own || element.closest('.sr, [display="none"]') || !element.checkVisibility({ checkVisibilityCSS: true })) continue;
      const box = element.getBoundingClientRect();
      if (!box.width || box.bottom < 0 || box.top > innerHeight) continue;
      const size = parseFloat(getComputedStyle(element).fontSize);
      if (size < 23.9) seen.push(`${size} ${element.tagName} .${element.getAttribute('class')} ${element.textContent.slice(0, 20)}`);
    }
    return seen;
  });
  assert.deepEqual(small, []);
  await lab.page.keyboard.press('b');
  await lab.page.locator('.black').waitFor();
  await lab.page.keyboard.press('b');
  await lab.page.locator('.black').waitFor({ state: 'detached' });
  await lab.page.keyboard.press('x');
  await lab.page.mouse.move(300, 400);
  assert.match(await lab.page.locator('#laser').getAttribute('style'), /translate\(300px,400px\)/);
});

test('L8: the presenter has a window of his own, and closing it does no harm', async () => {
  const lab = await passage('leader-in-minority', 2);
  const [notes] = await Promise.all([lab.context.waitForEvent('page'), lab.press('Presenter\'s notes')]);
  await lab.press('Step');
  await notes.locator('#note').filter({ hasText: 'Client A writes' }).waitFor();
  await notes.locator('#next').filter({ hasText: 'The majority stops hearing' }).waitFor();
  await notes.close();
  const before = Number(await lab.text('events'));
  await lab.press('Step');
  await settle(lab);
  assert.ok(Number(await lab.text('events')) >= before);
});

test('L10: a recorded run is a file that replays to the same state', async () => {
  const lab = await open({ hash: '#/?step=200' });
  await lab.press('Record');
  await lab.press('Kill server 2');
  for (let i = 0; i < 12; i += 1) await lab.press('Step');
  await settle(lab);
  const servers = JSON.stringify(await lab.servers());
  const [download] = await Promise.all([lab.page.waitForEvent('download'), lab.press('Record')]);
  const path = join(folder('browser'), 'my-run.json');
  await download.saveAs(path);
  const digest = await lab.text('digest');
  const again = await open();
  await again.press('Scenarios');
  await again.page.locator('input[type="file"]').setInputFiles(path);
  await again.button('To the end').first().waitFor({ state: 'attached' });
  await again.press('To the end');
  await settle(again);
  assert.equal(await again.text('digest'), digest);
  assert.equal(JSON.stringify(await again.servers()), servers);
});

test('L12: a term explains itself on hover and on focus', async () => {
  const lab = await passage('leader-in-minority', 2);
  const term = lab.page.getByTestId('note').locator('.term').first();
  await term.focus();
  assert.ok((await term.locator('[role="tooltip"]').textContent()).length > 20);
  await lab.page.evaluate(() => document.activeElement?.blur());
  await term.locator('[role="tooltip"]').waitFor({ state: 'detached' });
  await term.hover();
  await term.locator('[role="tooltip"]').waitFor();
});

test('Q4 Q5: everything by keyboard, the live region speaks', async () => {
  const lab = await open({ hash: '#/?step=120' });
  await lab.page.evaluate(() => document.activeElement?.blur());
  await lab.page.keyboard.press('?');
  const keys = await lab.page.locator('.dialog kbd').allTextContents();
  assert.ok(keys.length >= 15, `${keys}`);
  await lab.page.keyboard.press('Escape');
  await lab.page.locator('.server[data-id="3"]').focus();
  await lab.page.keyboard.press('Enter');
  await lab.page.locator('.menu').waitFor();
  const live = lab.page.getByTestId('live');
  assert.equal(await live.getAttribute('aria-live'), 'polite');
  const before = await live.textContent();
  await lab.press('Kill server 3');
  await lab.press('Step');
  await settle(lab);
  assert.notEqual(await live.textContent(), before);
});

test('Q6: roles and stages are told apart without colour', async () => {
  const lab = await passage('leader-in-minority', 4);
  await lab.page.addStyleTag({ content: 'html { filter: grayscale(1); }' });
  const looks = await lab.page.locator('.ledger td.cell').evaluateAll((cells) => {
    const kinds = {};
    for (const cell of cells) {
      const style = getComputedStyle(cell);
      const kind = [...cell.classList].find((c) => ['logged', 'synced', 'acked', 'committed', 'applied'].includes(c));
      kinds[kind] = `${style.borderTopStyle} ${style.backgroundImage !== 'none'} ${style.backgroundColor === 'rgba(0, 0, 0, 0)'} ${getComputedStyle(cell, '::after').content}`;
    }
    return kinds;
  });
  assert.equal(new Set(Object.values(looks)).size, Object.keys(looks).length, JSON.stringify(looks));
  const words = await lab.page.locator('.server .word').allTextContents();
  assert.ok(words.includes('LEADING') && words.some((w) => /follows/.test(w)));
});

test('Q7: with reduced motion a message stands in at most three places', async () => {
  const lab = await open({ hash: '#/?', reducedMotion: 'reduce' });
  const places = await lab.page.evaluate(async () => {
    const seen = new Map();
    const end = performance.now() + 4000;
    while (performance.now() < end) {
      await new Promise((done) => requestAnimationFrame(done));
      for (const packet of document.querySelectorAll('.packet:not([display="none"])')) {
        const name = `${packet.querySelector('text')?.textContent}`;
        const at = packet.getAttribute('transform');
        if (!name || !at) continue;
        if (!seen.has(name)) seen.set(name, new Set());
        seen.get(name).add(at);
      }
    }
    return [...seen.values()].map((s) => s.size);
  });
  const gliding = await open({ hash: '#/?' });
  const moved = await gliding.page.evaluate(async () => {
    const all = new Set();
    const end = performance.now() + 2500;
    while (performance.now() < end) {
      await new Promise((done) => requestAnimationFrame(done));
      for (const p of document.querySelectorAll('.packet:not([display="none"])')) all.add(p.getAttribute('transform'));
    }
    return all.size;
  });
  assert.ok(places.length > 0 && moved > 60, `${places.length} messages, ${moved} places when gliding`);
  // The same words may fly on several links at once: three places for each.
  const links = 20 * 3 * 3;
  assert.ok(places.every((n) => n <= links), `${places}`);
});

test('Q8 Q10: the language changes without a reload, and the theme follows the system and the button', async () => {
  const lab = await passage('leader-in-minority', 2, { colorScheme: 'dark' });
  const paper = () => lab.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  assert.equal(dark, 'rgb(18, 22, 26)');
  await lab.press('Light or dark');
  assert.notEqual(await paper(), dark);
  const events = await lab.text('events');
  await lab.page.locator('button', { hasText: '中文' }).first().dispatchEvent('click');
  await settle(lab);
  assert.match(await lab.text('note'), /客户端 A/);
  assert.equal(await lab.text('events'), events, 'the run goes on where it was');
  const left = await lab.page.evaluate(() => [...document.querySelectorAll('.app *')].filter((e) => e.childNodes.length === 1 && /^[a-z]+(\.[a-z-]+)+$/.test(e.textContent.trim())).map((e) => e.textContent));
  assert.deepEqual(left, [], 'no key shows through');
});

test('Q9: on a phone the stage, the words and Next are there', async () => {
  const lab = await open({ hash: '#/s/leader-in-minority', viewport: { width: 390, height: 844 } });
  for (const part of ['.stage-svg', '[data-testid="note"]']) {
    const box = await lab.page.locator(part).first().boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 391 && box.y < 844, `${part} ${JSON.stringify(box)}`);
  }
  await lab.button('Next').first().click();
  const wide = await lab.page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 391, `${wide} px wide`);
});

for (const [name, options, act] of [
  ['light', {}, []],
  ['dark', { colorScheme: 'dark' }, []],
  ['phone', { viewport: { width: 390, height: 844 } }, []],
  ['stage mode', { viewport: { width: 1920, height: 1080 } }, ['p']],
  ['space-time', {}, ['t']],
  ['legend', {}, ['l']],
  ['help', {}, ['?']],
]) {
  test(`axe finds nothing serious: ${name}`, async () => {
    const lab = await passage('leader-in-minority', 3, options);
    await lab.page.evaluate(() => document.activeElement?.blur());
    for (const key of act) await lab.page.keyboard.press(key);
    await settle(lab);
    await lab.page.evaluate(axe);
    const found = await lab.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const serious = found.violations.filter((v) => ['serious', 'critical'].includes(v.impact));
    const told = serious.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' | ')}`);
    assert.deepEqual(told, []);
  });
}
