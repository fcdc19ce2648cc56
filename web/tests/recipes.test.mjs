// Clients' recipes and faults by the buttons of the page: who holds a lock, who waits, and what freezing does to it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, launch, serveDist } from './page.mjs';

let host;
let browser;
let lab;

before(async () => {
  host = await serveDist();
  browser = await launch();
  lab = await Lab.open(browser, host.url);
  await lab.hurry();
  await lab.leader();
});

after(async () => {
  await lab?.close();
  await browser?.close();
  await host?.close();
});

// Starts a recipe on a new client by the form.
async function run(kind, line) {
  const form = lab.page.locator('.recipe-form');
  await form.evaluate((details) => (details.open = true));
  const fresh = await lab.page.getByTestId('recipe-client').locator('option').last().getAttribute('value');
  await lab.page.getByTestId('recipe-client').selectOption(fresh, { force: true });
  await lab.page.getByTestId('recipe-kind').selectOption(kind, { force: true });
  await lab.page.getByTestId('recipe-line').fill(line, { force: true });
  await form.locator('button[type=submit]').dispatchEvent('click');
}

async function stands(client, state) {
  await lab.page.locator(`[data-testid="recipe-${client}"][data-state="${state}"]`).waitFor({ state: 'attached', timeout: 60000 });
}

test('a lock passes from one client to the next, and a frozen holder loses it', async () => {
  await run('queue-lock', '/locks');
  await stands('A', 'holding');
  await run('queue-lock', '/locks');
  await stands('B', 'waiting');
  assert.match(await lab.page.getByTestId('recipe-B').textContent(), /waits for lock-/);
  // On the stage too it is seen who has it.
  assert.deepEqual(await lab.page.locator('.client-node.holds text').allTextContents(), ['A']);
  assert.match(await lab.page.locator('.client-node.holds').getAttribute('aria-label'), /holds it/);
  await lab.press('Freeze client A');
  await stands('B', 'holding');
  await stands('A', 'holding');
  await lab.press('Let client A go on');
  await stands('A', 'waiting');
  await lab.press('B: stop exclusive lock (queue)');
  await stands('A', 'holding');
});

test('a client that is cut off is unsure, and is sure again when it is back', async () => {
  await lab.press('Cut client A off');
  await stands('A', 'unsure');
  await lab.press('Reconnect client A');
  await stands('A', 'holding');
});

test('a mistyped recipe is refused and leaves no client behind', async () => {
  const before = await lab.page.locator('[data-client]').count();
  await run('lock', 'nonsense');
  await lab.page.getByText('That is no path', { exact: false }).first().waitFor({ state: 'attached', timeout: 10000 });
  assert.equal(await lab.page.locator('[data-client]').count(), before);
});
