// The pictures in docs/: node web/tests/docs.mjs [folder]
//
// Five views, each in light, in dark and in stage mode. What is on them is a real run; nothing is arranged.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Lab, folder, launch, serveDist } from './page.mjs';

const SCREEN = { width: 1920, height: 1080 };
const LOOKS = { light: 'light', dark: 'dark', stage: 'light' };

const into = process.argv[2] ?? folder('docs');
mkdirSync(into, { recursive: true });
const host = await serveDist();
const browser = await launch();

// The first page of a newcomer, a while after it has opened.
async function opening(lab) {
  await lab.page.waitForTimeout(16_000);
  await lab.pause();
}

// Leader on the minority side: its proposal has two of the three acknowledgements it needs.
async function partition(lab) {
  const said = lab.page.getByText('gets only two acknowledgements').first();
  for (let turn = 0; turn < 12 && !(await said.count()); turn += 1) {
    await lab.press('Next');
    await lab.page.waitForTimeout(250);
  }
  for (let step = 0; step < 60; step += 1) await lab.press('Step');
  await lab.page.waitForTimeout(700);
}

async function spaceTime(lab) {
  await elected(lab);
  await lab.press('Space–time');
  await lab.page.waitForTimeout(500);
}

async function elected(lab) {
  await lab.hurry();
  const leader = await lab.leader();
  for (const line of ['create /a 1', 'create /b 2']) await lab.send(line, leader.id);
  await lab.until('two writes', (servers) => servers.every((server) => server.committed === `${leader.epoch}:3`));
  await lab.speed(-1);
  await lab.send('set /a 2', leader.id);
  await lab.page.waitForTimeout(1500);
  await lab.pause();
  return leader;
}

async function inspector(lab) {
  const leader = await elected(lab);
  await lab.page.locator(`[data-server="${leader.id}"]`).first().dispatchEvent('click');
  await lab.page.waitForTimeout(400);
}

async function comparison(page) {
  await page.waitForTimeout(2500);
}

const VIEWS = {
  opening: { hash: '', act: opening },
  partition: { hash: '#/s/leader-in-minority', act: partition },
  'space-time': { hash: '#/?', act: spaceTime },
  inspector: { hash: '#/?', act: inspector },
};

try {
  for (const [look, colorScheme] of Object.entries(LOOKS)) {
    for (const [name, { hash, act }] of Object.entries(VIEWS)) {
      const lab = await Lab.open(browser, host.url, { viewport: SCREEN, colorScheme, hash });
      await act(lab);
      await take(lab.page, look, name);
      await lab.close();
    }
    const context = await browser.newContext({ viewport: SCREEN, colorScheme, locale: 'en-GB' });
    const page = await context.newPage();
    await page.goto(`${host.url}#/compare`);
    await page.waitForTimeout(1000);
    await comparison(page);
    await take(page, look, 'compare');
    await context.close();
  }
} finally {
  await browser.close();
  await host.close();
}

async function take(page, look, name) {
  if (look === 'stage') {
    await page.keyboard.press('p');
    await page.waitForTimeout(500);
  }
  await page.evaluate(() => document.activeElement?.blur());
  const path = join(into, `${name}-${look}.png`);
  await page.screenshot({ path });
  console.log(path);
}
