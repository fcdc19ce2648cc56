// Bad input: whatever comes in, there is a clear message and a way on, never a blank page or one that hangs. (Links are
// in time.test.mjs.)

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fresh, suite } from './suite.mjs';

const on = suite();

const lesson = JSON.parse(readFileSync(new URL('../../static/scenarios/leader-crash.json', import.meta.url), 'utf8'));

// Opens a scenario file, and gives back what the page says.
async function opened(lab, text) {
  await lab.press('Scenarios');
  const file = { name: 'mine.json', mimeType: 'application/json', buffer: Buffer.from(text) };
  const begun = Date.now();
  await lab.page.locator('.dialog input[type="file"]').setInputFiles(file);
  await lab.page.getByTestId('notice').waitFor();
  console.log(`${Date.now() - begun} ms: ${(await lab.text('notice')).slice(0, 110)}`);
  return lab.text('notice');
}

// The page lives: it steps.
async function goesOn(lab) {
  const before = await lab.text('events');
  await lab.press('Step');
  await lab.page.waitForFunction((n) => document.querySelector('[data-testid="events"]').textContent !== n, before);
}

test('a scenario file that is broken, has unknown commands or an impossible world is refused with the reason', async () => {
  const lab = await fresh(on, { hash: '#/?paused' });
  for (const [text, reason] of [
    ['', /EOF/],
    ['{"name":', /EOF/],
    [JSON.stringify(lesson).slice(0, 900), /EOF/],
    [JSON.stringify({ ...lesson, steps: [{ do: { press: { explode: 1 } } }] }), /explode/],
    [JSON.stringify({ ...lesson, steps: [{ do: { until: { condition: { happy: 'A' }, within_ms: 10 } } }] }), /happy/],
    [JSON.stringify({ ...lesson, world: { servers: 4_000_000 } }), /4000000/],
    [JSON.stringify({ ...lesson, world: { servers: 3, snap_count: 0 } }), /world/],
  ]) {
    assert.match(await opened(lab, text), reason);
    await lab.press('Close');
    await lab.page.keyboard.press('Escape');
    await goesOn(lab);
  }
});

test('a wait that can never end is told, whether it has a limit or none that anybody would see', async () => {
  const lab = await fresh(on, { hash: '#/?paused' });
  const wait = (within_ms) => ({ ...lesson, steps: [{ note: lesson.title, do: { until: { condition: { leader: { epoch: 99 } }, within_ms } } }] });
  const open = async (scenario) => {
    await lab.press('Scenarios');
    await lab.page.locator('.dialog input[type="file"]').setInputFiles({ name: 'w.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(scenario)) });
    await lab.page.getByTestId('note').waitFor();
    await lab.press('To the end');
  };
  await open(wait(2000));
  await lab.page.locator('.outcome.ill').waitFor();
  assert.match(await lab.page.locator('.outcome.ill').textContent(), /within 2000 ms/);
  await goesOn(lab);
  // Fifty days of waiting: the way there is told, and can be left.
  await open(wait(4_000_000_000));
  await lab.page.getByTestId('travel').waitFor();
  await lab.press('Stop here');
  await lab.page.getByTestId('travel').waitFor({ state: 'detached' });
  await goesOn(lab);
});

test('a pasted trace of another version, or of nothing, is told', async () => {
  const lab = await fresh(on, { hash: '#/?paused' });
  for (const [text, reason] of [
    ['{"format":"zebu-run","run":{"v":99,"s":"leader-crash"}}', /another version \(99\)/],
    ['{"format":"zebu-run"}', /no run of the lab/],
    ['<html>', /no run of the lab/],
  ]) {
    await lab.press('Share');
    await lab.page.getByLabel('Paste a trace, or choose a file').fill(text);
    await lab.press('Open');
    await lab.page.getByTestId('notice').filter({ hasText: reason }).waitFor();
    await lab.press('Close');
    await lab.page.keyboard.press('Escape');
  }
  await goesOn(lab);
});

test('a run that has used its memory stops with a word, can go back, and begins anew', async () => {
  const lab = await fresh(on, { hash: '#/?step=100000&memory=8' });
  await lab.page.getByTestId('notice').filter({ hasText: 'filled the 8 MB' }).waitFor({ timeout: 60_000 });
  await lab.page.getByTestId('travel').waitFor({ state: 'detached' });
  const end = await lab.text('events');
  await lab.press('Close');
  await lab.press('Step');
  await lab.page.getByTestId('notice').filter({ hasText: 'filled the 8 MB' }).waitFor();
  assert.equal(await lab.text('events'), end);
  await lab.press('Step back');
  await goesOn(lab);
  await lab.page.evaluate(() => { location.hash = '#/?paused'; });
  await lab.page.waitForFunction(() => document.querySelector('[data-testid="events"]').textContent === '0');
  await goesOn(lab);
});

test('a browser without wasm says so in words, in both languages', async () => {
  const context = await on.browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => { delete globalThis.WebAssembly; });
  await page.goto(on.host.url);
  await page.getByRole('alert').filter({ hasText: 'has no WebAssembly' }).waitFor();
  assert.match(await page.getByRole('alert').textContent(), /could not start.*实验室无法启动/);
  await context.close();
});

test('a file of the page that does not come is told', async () => {
  const context = await on.browser.newContext();
  const page = await context.newPage();
  await page.route('**/*.wasm', (route) => route.abort());
  await page.goto(on.host.url);
  await page.getByRole('alert').filter({ hasText: 'could not start' }).waitFor();
  await context.close();
});

test('with reduced motion the page plays, and a step needs no gliding', async () => {
  const lab = await fresh(on, { hash: '#/?', reducedMotion: 'reduce' });
  await lab.hurry();
  await lab.leader();
  await lab.pause();
  await goesOn(lab);
});
