// Time and sharing in the lab, by the ids of the feature table: driven through the names that a screen reader reads.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { fresh, suite } from './suite.mjs';

const on = suite();

// What a person would press before the keyboard is tried.
const blur = (lab) => lab.page.evaluate(() => document.activeElement?.blur());
const moment = async (lab) => Number(/event (\d+) of/.exec(await lab.page.locator('.status .mono').textContent())[1]);

async function elected(options) {
  const lab = await fresh(on, options);
  await lab.hurry();
  await lab.leader();
  await lab.pause();
  await blur(lab);
  return lab;
}

async function opened(lab, summary) {
  await lab.page.locator('summary', { hasText: summary }).first().evaluate((element) => { element.parentElement.open = true; });
}

async function link(lab) {
  await lab.page.waitForTimeout(300);
  await lab.press('Share');
  const address = await lab.page.getByTestId('share-link').inputValue();
  await lab.page.keyboard.press('Escape');
  return address;
}

async function settled(lab) {
  await lab.page.waitForFunction(() => !document.querySelector('[data-testid="travel"]'), undefined, { timeout: 60_000 });
}

test('T1: Space plays and pauses; paused, simulated time stands still for five seconds', async () => {
  const lab = await elected();
  await lab.page.keyboard.press('Space');
  await lab.button('Pause').first().waitFor({ state: 'attached' });
  await lab.page.keyboard.press('Space');
  await lab.button('Play').first().waitFor({ state: 'attached' });
  const time = await lab.text('time');
  await lab.page.waitForTimeout(5000);
  assert.equal(await lab.text('time'), time);
});

test('T2: a step executes exactly one event, and it was named before', async () => {
  const lab = await elected();
  for (let step = 0; step < 5; step += 1) {
    const before = await moment(lab);
    const named = await lab.page.locator('.next-event').textContent();
    assert.match(named, /next: \S+/);
    await lab.page.keyboard.press('ArrowRight');
    await lab.page.waitForFunction((n) => document.querySelector('.status .mono').textContent.includes(`event ${n} `), before + 1);
  }
});

test('T4: Shift and the right arrow stop at turns of the protocol, and say which', async () => {
  const lab = await fresh(on);
  await lab.pause();
  await blur(lab);
  const seen = new Set();
  for (let step = 0; step < 90 && !(seen.has('vote changed') && seen.has('leader decided') && seen.has('epoch agreed') && seen.has('sync sent')); step += 1) {
    await lab.page.keyboard.press('Shift+ArrowRight');
    const text = await lab.text('stopped');
    for (const turn of text.replace('stopped at: ', '').split(', ')) seen.add(turn);
  }
  const leader = (await lab.servers()).find((server) => server.state === 'leading')?.id ?? 5;
  await lab.send('create /a 1', leader);
  await blur(lab);
  for (let step = 0; step < 60 && !seen.has('applied'); step += 1) {
    await lab.page.keyboard.press('Shift+ArrowRight');
    const text = await lab.text('stopped');
    for (const turn of text.replace('stopped at: ', '').split(', ')) seen.add(turn);
  }
  assert.deepEqual([...seen].sort(), ['applied', 'commit', 'epoch agreed', 'leader decided', 'proposal', 'quorum of ACK', 'sync sent', 'vote changed']);
});

test('T5: Alt and the right arrow stop when the next client request has its reply', async () => {
  const lab = await elected();
  await lab.send('create /a 1', 1);
  await blur(lab);
  await lab.page.keyboard.press('Alt+ArrowRight');
  await lab.page.locator('.talk .answer', { hasText: '/a' }).first().waitFor({ state: 'attached' });
  assert.equal(await lab.page.locator('.talk .wait').count(), 0);
});

test('T6: the speed goes from 1/64 to 64 in doublings and is shown', async () => {
  const lab = await fresh(on);
  await blur(lab);
  const speed = () => lab.page.locator('.speed output').textContent();
  for (let i = 0; i < 14; i += 1) await lab.page.keyboard.press('[');
  assert.equal(await speed(), '×1/64');
  const seen = [];
  for (let i = 0; i < 13; i += 1) {
    seen.push(await speed());
    await lab.page.keyboard.press(']');
  }
  assert.deepEqual(seen, ['×1/64', '×1/32', '×1/16', '×1/8', '×1/4', '×1/2', '×1', '×2', '×4', '×8', '×16', '×32', '×64']);
});

test('T7: quiet time is skipped and a badge says how much', async () => {
  const lab = await elected();
  await lab.speed(0);
  await lab.play();
  const badge = lab.page.getByTestId('skipped');
  await badge.first().waitFor({ state: 'attached', timeout: 20_000 });
  assert.match(await badge.first().textContent(), /\d/);
});

test('T8: dragging over 10,000 events seeks at once', async () => {
  const lab = await fresh(on, { hash: '#/?step=10000' });
  await settled(lab);
  assert.equal(await moment(lab), 10000);
  const times = await lab.page.evaluate(async () => {
    const slider = document.querySelector('.scrub');
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    const times = [];
    let at = 7;
    for (let i = 0; i < 120; i += 1) {
      at = (at * 37 + 11) % 2000;
      const begun = performance.now();
      set.call(slider, String(at / 2));
      slider.dispatchEvent(new InputEvent('input', { bubbles: true }));
      await new Promise((done) => setTimeout(done, 0));
      times.push(performance.now() - begun);
    }
    return times.sort((a, b) => a - b);
  });
  const p95 = times[Math.floor(times.length * 0.95)];
  console.log(`T8: seeks over 10,000 events: median ${times[60].toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, longest ${times.at(-1).toFixed(1)} ms`);
  assert.notEqual(await moment(lab), 10000);
});

test('T9: a command in the past begins a new line, and the old one is one press away', async () => {
  const lab = await elected();
  const end = await moment(lab);
  const digest = await lab.text('digest');
  for (let i = 0; i < 30; i += 1) await lab.page.keyboard.press('ArrowLeft');
  await lab.press('Kill server 2');
  const lines = lab.page.getByTestId('lines').locator('.line');
  assert.equal(await lines.count(), 2);
  assert.match(await lines.nth(1).getAttribute('aria-label'), new RegExp(`Line 2, leaves at event ${end - 30}, .*Server 2|kill`, 'i'));
  await lines.first().dispatchEvent('click');
  await lab.page.waitForFunction((d) => document.querySelector('[data-testid="digest"]').textContent === d, digest);
  assert.equal(await moment(lab), end);
});

test('V13: two lines are compared from the list of lines, by keyboard; the first different event is named and one press away', async () => {
  const lab = await elected();
  await lab.send('create /x here', 1);
  await blur(lab);
  await lab.page.keyboard.press('Alt+ArrowRight');
  await settled(lab);
  for (let i = 0; i < 40; i += 1) await lab.page.keyboard.press('ArrowLeft');
  const parting = await moment(lab);
  await lab.press('Kill server 2');
  await blur(lab);
  for (let i = 0; i < 30; i += 1) await lab.page.keyboard.press('ArrowRight');
  const compare = lab.button('Compare with line 1').first();
  await compare.focus();
  await lab.page.keyboard.press('Enter');
  const dialog = lab.page.getByRole('dialog', { name: 'Lines 2 and 1 compared' });
  await dialog.waitFor();
  assert.match(await dialog.textContent(), new RegExp(`the same up to event ${parting}\\.`));
  const rows = await dialog.locator('tbody tr').evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
  const row = (name) => rows.find((cells) => cells[0] === name);
  assert.match(row('First different event')[1], /2/);
  assert.notEqual(row('First different event')[1], row('First different event')[2]);
  assert.match(row('Leader')[2], /server \d, epoch \d/);
  assert.match(row('Last committed')[2], /^\d+:\d+$/);
  await dialog.getByRole('button', { name: `Go to event ${parting + 1} of line 1` }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await moment(lab), parting + 1);
  assert.notEqual((await lab.servers())[1].state, 'down', 'in line 1 nobody killed it');
  await lab.button('Compare with line 2').first().click();
  await lab.page.getByRole('dialog').getByRole('button', { name: `Go to event ${parting} of line 2` }).click();
  assert.equal((await lab.servers())[1].state, 'down');
});

test('T10: the pointer over the timeline shows that moment in small', async () => {
  const lab = await elected();
  const before = await lab.text('digest');
  const box = await lab.page.locator('.scrub').boundingBox();
  await lab.page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  const preview = lab.page.getByTestId('preview');
  await preview.waitFor();
  assert.match(await preview.textContent(), /Event \d+, \d/);
  assert.equal(await lab.text('digest'), before, 'nothing moved');
  await lab.page.mouse.move(box.x, box.y - 300);
  await preview.waitFor({ state: 'detached' });
});

test('T11: the next events are listed with time and target; a press runs until one', async () => {
  const lab = await elected();
  const coming = lab.page.getByTestId('future').getByRole('button');
  const count = await coming.count();
  assert.ok(count >= 3 && count <= 8, `${count} events`);
  const before = await moment(lab);
  await coming.nth(2).dispatchEvent('click');
  await settled(lab);
  const now = await moment(lab);
  assert.ok(now > before && now <= before + 200, `${before} to ${now}`);
});

test('T12: run until a new leader, a zxid on a server, a broken rule', async () => {
  const lab = await elected();
  const leader = await lab.leader();
  await opened(lab, 'Run until');
  await lab.press(`Kill server ${leader.id}`);
  await lab.press('a new leader');
  await settled(lab);
  const second = await lab.leader({ after: leader.epoch });
  await lab.pause();
  await lab.send('create /a 1', second.id);
  const other = (await lab.servers()).find((server) => server.state === 'following').id;
  await lab.page.getByLabel('zxid, like 1:4', { exact: true }).fill(`${second.epoch}:2`, { force: true });
  await lab.page.getByLabel('server', { exact: true }).selectOption(String(other), { force: true });
  await lab.press('Run');
  await settled(lab);
  assert.equal((await lab.servers())[other - 1].committed, `${second.epoch}:2`);
  await lab.page.getByLabel('zxid, like 1:4', { exact: true }).fill('nonsense', { force: true });
  await lab.press('Run');
  assert.match(await lab.text('notice'), /nonsense/);
});

test('T13, S1: a link opens at the same digest, with lines and bookmarks', async () => {
  const lab = await elected();
  await lab.page.keyboard.press('b');
  for (let i = 0; i < 20; i += 1) await lab.page.keyboard.press('ArrowLeft');
  await lab.press('Kill server 2');
  await blur(lab);
  for (let i = 0; i < 15; i += 1) await lab.page.keyboard.press('ArrowRight');
  await lab.page.waitForTimeout(300);
  const [digest, events] = [await lab.text('digest'), await lab.text('events')];
  const other = await fresh(on, { address: await link(lab) });
  await settled(other);
  assert.deepEqual([await other.text('digest'), await other.text('events')], [digest, events]);
  assert.equal(await other.page.getByTestId('lines').locator('.line').count(), 2);
  await opened(other, 'Run until');
  assert.equal(await other.page.getByTestId('bookmarks').locator('li').count(), 1);
});

test('S1, bad input: whatever stands in the address, there is a message and a stage within two seconds', async () => {
  const good = new URL(await link(await elected())).hash;
  const json = JSON.parse(Buffer.from(good.slice(4), 'base64url'));
  const run = (changes) => `#/r/${Buffer.from(JSON.stringify({ ...json, ...changes })).toString('base64url')}`;
  const lab = await fresh(on);
  for (const hash of [
    '#/r/', '#/r/%00%00', `#/r/${'A'.repeat(59_000)}`, good.slice(0, 60), run({ v: 99, s: 'leader-crash' }), run({ s: 'no-such-scenario' }),
    run({ w: { servers: 100000000 } }), run({ w: { tick_ms: 0 } }), run({ l: [{ e: 999999999 }], b: 0, m: 999999999 }),
    run({ l: [{ e: 10, c: [[0, { kill: { server: 77 } }]] }], b: 0, m: 10 }), '#/s/no-such-scenario', '#/?servers=900', '#/nowhere',
  ]) {
    const begun = Date.now();
    await lab.page.evaluate((to) => { location.hash = '#/?'; location.hash = to; }, hash);
    await lab.page.getByTestId('notice').waitFor({ timeout: 8000 });
    assert.ok((await lab.servers()).length >= 3, hash.slice(0, 40));
    assert.ok((await lab.text('notice')).length > 20);
    console.log(`${hash.slice(0, 30)}: ${Date.now() - begun} ms: ${(await lab.text('notice')).slice(0, 90)}`);
    await lab.press('Close');
    await lab.page.getByTestId('notice').waitFor({ state: 'detached' });
  }
  // A long way is gone in pieces: the page answers while it is under way, and can be stopped.
  const far = await fresh(on, { hash: '#/?step=200000' });
  await far.page.getByTestId('travel').waitFor();
  await far.press('Stop here');
  await settled(far);
  assert.ok((await moment(far)) < 200000);
});

test('V17, S1: the geometry and dragged servers are in the link', async () => {
  const lab = await elected();
  await lab.page.getByLabel('How the servers stand').selectOption('row');
  const box = await lab.page.locator('.server[data-id="2"] .ring').boundingBox();
  await lab.page.mouse.move(box.x + box.width / 2, box.y + 12);
  await lab.page.mouse.down();
  await lab.page.mouse.move(box.x + box.width / 2 + 60, box.y - 60, { steps: 4 });
  await lab.page.mouse.up();
  const places = (page) => page.page.locator('.server').evaluateAll((all) => all.map((s) => s.getAttribute('transform').match(/[\d.]+/g).map((n) => Math.round(Number(n) / 4))));
  const address = await link(lab);
  const other = await fresh(on, { address });
  await settled(other);
  assert.equal(await other.page.getByLabel('How the servers stand').inputValue(), 'row');
  assert.deepEqual(await places(other), await places(lab));
  const json = JSON.parse(Buffer.from(new URL(address).hash.slice(4), 'base64url'));
  assert.equal(json.p.length, 1);
  const wild = Buffer.from(JSON.stringify({ ...json, p: [[2, 4e9, 7]] })).toString('base64url');
  await other.page.evaluate((to) => { location.hash = to; }, `#/r/${wild}`);
  await other.page.getByTestId('notice').waitFor();
  assert.match(await other.text('notice'), /p\b/);
});

test('S2: a trace is saved and opened again as the same; ShiViz, Mermaid and pictures are saved', async () => {
  const lab = await elected();
  await lab.press('Kill server 2');
  await blur(lab);
  for (let i = 0; i < 9; i += 1) await lab.page.keyboard.press('ArrowRight');
  await lab.page.waitForTimeout(300);
  const digest = await lab.text('digest');
  const saved = async (page, name) => {
    const [download] = await Promise.all([page.page.waitForEvent('download'), page.press(name)]);
    return readFile(await download.path(), 'utf8');
  };
  await lab.press('Share');
  const trace = await saved(lab, 'Trace (JSON)');
  const parser = /(?<host>\S*) (?<clock>{.*})\n(?<event>.*)/g;
  const shiviz = await saved(lab, 'ShiViz log');
  const events = [...shiviz.matchAll(parser)];
  assert.equal(events.length, shiviz.trim().split('\n').length / 2);
  for (const { groups } of events) assert.ok(JSON.parse(groups.clock)[groups.host] >= 1);
  assert.match(await saved(lab, 'Mermaid'), /^sequenceDiagram\n/);
  assert.match(await saved(lab, 'Picture (SVG)'), /^<svg [^]*<style[^]*server/i);
  assert.match(await saved(lab, 'Picture (PNG)'), /^.PNG/);

  const other = await fresh(on);
  await other.press('Share');
  await other.page.getByLabel('From a file', { exact: true }).setInputFiles({ name: 'run.json', mimeType: 'application/json', buffer: Buffer.from(trace) });
  await other.page.locator('.dialog').waitFor({ state: 'detached' });
  await settled(other);
  assert.equal(await other.text('digest'), digest);
  await other.press('Share');
  assert.equal(await saved(other, 'Trace (JSON)'), trace);
  await other.page.getByLabel('Paste a trace, or choose a file').fill('{"format":"something else"}');
  await other.press('Open');
  assert.match(await other.text('notice'), /no run of the lab/);
});

test('S2: a film is WebM, as long as what it shows, and there is something on its pictures; it can be cut short or dropped', async () => {
  const lab = await elected();
  const film = async (seconds) => {
    await lab.press('Share');
    await lab.page.getByLabel('Seconds').fill(String(seconds));
    await lab.press('Film (WebM)');
    await lab.page.getByTestId('filming').waitFor();
  };
  const saved = async (act) => {
    const [download] = await Promise.all([lab.page.waitForEvent('download', { timeout: 120_000 }), act()]);
    assert.equal(download.suggestedFilename(), 'zebu.webm');
    await lab.page.getByTestId('filming').waitFor({ state: 'detached' });
    return readFile(await download.path());
  };
  const whole = await saved(() => film(3));
  assert.match(await lab.text('notice'), /3\.0 s/);
  assert.equal(await lab.button('Play').count(), 1, 'after the film the show stands still');
  assert.equal(whole.readUInt32BE(0), 0x1a45dfa3);
  const played = await lab.page.evaluate(async (base64) => {
    const video = document.createElement('video');
    const told = (name) => new Promise((done, failed) => {
      video.addEventListener(name, done, { once: true });
      video.addEventListener('error', () => failed(new Error(video.error.message)), { once: true });
    });
    video.src = `data:video/webm;base64,${base64}`;
    await told('loadeddata');
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const pictures = [];
    for (const at of [0.1, 1.5, 2.9]) {
      video.currentTime = at;
      await told('seeked');
      context.drawImage(video, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let [light, dark] = [0, 0];
      for (let i = 0; i < data.length; i += 4) {
        const grey = (data[i] + data[i + 1] + data[i + 2]) / 3;
        if (grey > 200) light += 1;
        else if (grey < 100) dark += 1;
      }
      pictures.push({ light: light / (data.length / 4), dark: dark / (data.length / 4), sum: data.reduce((sum, n) => sum + n, 0) });
    }
    return { length: video.duration, pictures };
  }, whole.toString('base64'));
  assert.ok(Math.abs(played.length - 3) < 0.3, `${played.length} s`);
  for (const { light, dark } of played.pictures) assert.ok(light > 0.5 && dark > 0.002, `${light} light, ${dark} dark`);
  assert.ok(new Set(played.pictures.map(({ sum }) => sum)).size > 1, 'something moves');

  await film(60);
  await lab.page.waitForFunction(() => Number(document.querySelector('[data-testid="filming"] progress').value) >= 0.2);
  const short = await saved(() => lab.press('Save now'));
  assert.ok(short.length < whole.length);
  await film(60);
  await lab.press('No film');
  await lab.page.getByTestId('filming').waitFor({ state: 'detached' });
  // A browser that writes no WebP says so.
  await lab.page.evaluate(() => { HTMLCanvasElement.prototype.toBlob = function toBlob(then) { then(new Blob(['none'])); }; });
  await lab.press('Share');
  await lab.press('Film (WebM)');
  await lab.page.getByTestId('notice').filter({ hasText: 'image/webp' }).waitFor();
});

test('S3: inside another page it plays, steps and seeks when asked, and leaves the focus alone', async (context) => {
  const lab = await fresh(on);
  // The page around comes from somewhere else, as it will.
  const around = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(
    `<!doctype html><link rel="icon" href="data:,"><input id="own" autofocus>
      <iframe src="${on.host.url}?embed=1&scenario=leader-crash" width="900" height="600"></iframe>
      <script>addEventListener('message', (event) => { window.told = event.data; });</script>`,
  ));
  await new Promise((done) => around.listen(0, '127.0.0.1', done));
  context.after(() => around.close());
  await lab.page.goto(`http://127.0.0.1:${around.address().port}/`);
  const frame = lab.page.frameLocator('iframe');
  await frame.getByTestId('servers').locator('[data-server]').first().waitFor({ state: 'attached' });
  await lab.page.waitForTimeout(500);
  assert.equal(await lab.page.evaluate(() => document.activeElement.id), 'own');
  const ask = (message) => lab.page.evaluate((m) => document.querySelector('iframe').contentWindow.postMessage(m, '*'), message);
  await ask({ zebu: 'pause' });
  await lab.page.waitForFunction(() => window.told && window.told.playing === false);
  const before = await lab.page.evaluate(() => window.told.moment);
  await ask({ zebu: 'step' });
  await lab.page.waitForFunction((n) => window.told.moment === n + 1, before);
  await ask({ zebu: 'seek', to: 0 });
  await lab.page.waitForFunction(() => window.told.moment === 0);
  await ask({ zebu: 'play' });
  await lab.page.waitForFunction(() => window.told.playing === true);
  assert.equal(await frame.locator('.head').isVisible(), false);
  assert.equal(await lab.page.evaluate(() => document.activeElement.id), 'own');
});

test('S4: after one visit it works without a network', async () => {
  const lab = await fresh(on);
  await lab.page.waitForFunction(() => document.documentElement.dataset.kept === 'true', undefined, { timeout: 20_000 });
  await lab.context.setOffline(true);
  await lab.page.reload();
  await lab.page.getByTestId('servers').locator('[data-server]').first().waitFor({ state: 'attached' });
  await lab.hurry();
  await lab.leader();
  await lab.context.setOffline(false);
});
