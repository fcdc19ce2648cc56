// The compared protocols in Chromium: a model on the lab's own stage, and one crash on five protocols side by side.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fresh, suite } from './suite.mjs';

const on = suite();

// The comparison has no ensemble of its own, so it is opened without the lab's waiting for one.
async function comparison(viewport = { width: 1600, height: 1000 }) {
  const context = await on.browser.newContext({ viewport, locale: 'en-GB' });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${on.host.url}#/compare`);
  await page.getByTestId('outcomes').waitFor({ timeout: 60_000 });
  const rows = () =>
    page.locator('[data-outcome]').evaluateAll((all) =>
      Object.fromEntries(
        all.map((row) => {
          const field = (name) => row.querySelector(`[data-field="${name}"]`).textContent.trim();
          return [row.dataset.outcome, { state: row.dataset.state, waiting: field('waiting'), values: field('values'), agree: field('agree') }];
        }),
      ),
    );
  return { page, rows, complaints, close: () => context.close() };
}

test('one crash on five protocols has five outcomes, and going back takes them away', async () => {
  const side = await comparison();
  assert.equal(await side.page.locator('[data-pane]').count(), 5);
  await side.page.getByRole('button', { name: 'Pause' }).click();
  const before = await side.rows();
  assert.ok(Object.values(before).every((row) => row.state === 'waiting'), JSON.stringify(before));
  await side.page.getByRole('button', { name: 'To the end' }).click();
  const after = await side.rows();
  assert.equal(after['crash-zookeeper'].state, 'answered');
  assert.equal(after['crash-paper-zab'].state, 'answered');
  assert.equal(after['crash-paxos'].state, 'answered');
  assert.equal(after['crash-2pc'].state, 'refused');
  assert.equal(after['crash-2pc'].waiting, '2, 3, 4 and 5');
  assert.equal(after['crash-3pc'].state, 'inconsistent');
  await side.page.getByRole('slider').fill('0');
  assert.deepEqual(await side.rows(), before);
  assert.deepEqual(side.complaints, []);
  await side.close();
});

test('every word on the small stages of the comparison can be read', async () => {
  for (const [viewport, least] of [[{ width: 1920, height: 1080 }, 12.4], [{ width: 1366, height: 768 }, 11]]) {
    const side = await comparison(viewport);
    await side.page.getByRole('button', { name: 'To the end' }).click();
    await side.page.waitForTimeout(500);
    const small = await side.page.evaluate((least) => {
      const texts = document.querySelectorAll('.side-stage :is(.label, .server) text');
      const size = (e) => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a;
      return [texts.length, ...[...texts].map((e) => [size(e), e.textContent]).filter(([size]) => size < least)];
    }, least);
    assert.ok(small[0] > 50 && small.length === 1, JSON.stringify(small));
    // No two badges meet.
    const meet = await side.page.evaluate(() =>
      [...document.querySelectorAll('.side-stage')].flatMap((stage) => {
        const badges = [...stage.querySelectorAll('.badge')].map((e) => [e.getBoundingClientRect(), e.textContent]);
        return badges.flatMap(([a, one], i) =>
          badges
            .slice(i + 1)
            .filter(([b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
            .map(([, other]) => `${one} and ${other}`),
        );
      }),
    );
    assert.deepEqual(meet, []);
    // Nor do a server's words reach out of its pane.
    const out = await side.page.evaluate(() =>
      [...document.querySelectorAll('.side-stage .label text')]
        .filter((e) => {
          const [own, pane] = [e.getBoundingClientRect(), e.closest('.side-pane').getBoundingClientRect()];
          return own.left < pane.left || own.right > pane.right;
        })
        .map((e) => e.textContent),
    );
    assert.deepEqual(out, []);
    await side.close();
  }
});

test('in stage mode every word of the comparison has 24 pixels', async () => {
  const side = await comparison({ width: 1920, height: 1080 });
  await side.page.getByRole('button', { name: 'Stage mode' }).click();
  await side.page.waitForTimeout(2500);
  await side.page.getByRole('button', { name: 'To the end' }).click();
  const small = await side.page.evaluate(() =>
    [...document.querySelectorAll('.side text, .side p, .side td, .side th, .side h2, .side button')]
      .filter((e) => e.textContent.trim() && !e.closest('[display="none"], title') && e.checkVisibility({ checkVisibilityCSS: true }))
      .map((e) => [parseFloat(getComputedStyle(e).fontSize) * (e.getScreenCTM?.().a ?? 1), e.textContent])
      .filter(([size]) => size < 23.5),
  );
  assert.deepEqual(small, []);
  await side.close();
});

test('on a phone the head of the comparison keeps its buttons', async () => {
  const side = await comparison({ width: 390, height: 844 });
  const below = await side.page.evaluate(() => {
    const head = document.querySelector('.side .head').getBoundingClientRect();
    const buttons = [...document.querySelectorAll('.side .head .btn')].map((b) => b.getBoundingClientRect());
    return buttons.filter((b) => b.bottom > head.bottom || b.right > 391).length;
  });
  assert.equal(below, 0);
  await side.close();
});

test('a compared protocol runs in free mode, with its states in the text twin', async () => {
  const lab = await fresh(on, { hash: '#/?protocol=two-phase-commit&servers=4' });
  await lab.hurry();
  await lab.send('set /x A', 1);
  const twin = lab.page.getByTestId('servers');
  await twin.locator('[data-server="4"] [data-value="committed"]').waitFor({ state: 'attached', timeout: 60_000 });
  assert.equal(await twin.locator('[data-server="1"] [data-field="role"]').textContent(), 'coordinator');
  assert.equal(await twin.locator('[data-server="2"] [data-field="role"]').textContent(), 'participant');
  assert.equal(await lab.page.locator('[data-check="atomicity"].well').count(), 1);
});

test('three-phase commit turns its chip red with both histories as the reason', async () => {
  const lab = await fresh(on, { hash: '#/s/3pc-splits?run=end' });
  await lab.page.getByTestId('trace-digest').first().waitFor({ state: 'attached', timeout: 60_000 });
  const reason = await lab.page.locator('[data-broken="atomicity"]').textContent();
  assert.match(reason, /COMMIT at servers .*ABORT at servers/);
});
