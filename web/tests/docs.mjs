// The pictures in docs/: node web/tests/docs.mjs [folder]
//
// Five views, each in light, in dark and in stage mode, and the lab in 中文 and on a phone. What is on them is a real
// run; nothing is arranged. WebP keeps the whole folder small.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab, folder, launch, midWrite, serveDist } from './page.mjs';

const SCREEN = { width: 1920, height: 1080 };
const LOOKS = { light: 'light', dark: 'dark', stage: 'light' };

const into = process.argv[2] ?? folder('docs');
mkdirSync(into, { recursive: true });
const host = await serveDist();
const browser = await launch();

// The first page of a newcomer, a while after it has opened: three of five make a majority.
async function opening(lab) {
  await passage(lab, 4);
  await lab.press('Next');
  await lab.page.waitForTimeout(3000);
  await lab.pause();
}

// The leader on the minority side, after the cut: the second acknowledgement is on its way, and there is no third.
async function partition(lab) {
  await passage(lab, 2);
  await lab.pause();
  await acknowledged(lab, '1/3');
  await lab.page.waitForTimeout(900);
}

// Steps until the newest proposal has so many acknowledgements.
async function acknowledged(lab, share) {
  const acks = lab.page.locator(`[data-acks="${share}"]`);
  for (let step = 0; step < 600 && !(await acks.count()); step += 1) await lab.press('Step');
}

// Presses Next until the lesson is at its nth passage.
async function passage(lab, n) {
  for (let turn = 0; turn < 40; turn += 1) {
    if ((await lab.text('chapter')).startsWith(`${n} /`)) return;
    await lab.press('Next');
    await lab.page.waitForTimeout(300);
  }
  throw new Error(`there is no passage ${n}`);
}

async function spaceTime(lab) {
  await midWrite(lab);
  await lab.press('Space–time');
  await lab.page.waitForTimeout(500);
}

async function inspector(lab) {
  const leader = await midWrite(lab);
  await lab.page.evaluate(() => document.activeElement?.blur());
  await lab.page.keyboard.press(String(leader.id));
  await acknowledged(lab, '1/3');
  await lab.page.waitForTimeout(400);
}

async function comparison(page) {
  await page.waitForTimeout(1500);
  await page.locator('.side-foot > .btn').dispatchEvent('click');
  await page.waitForTimeout(800);
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
  const zh = await Lab.open(browser, host.url, { viewport: SCREEN, hash: '' });
  await zh.page.locator('button', { hasText: '中文' }).first().dispatchEvent('click');
  for (let turn = 0; turn < 4; turn += 1) await zh.press('下一段');
  await zh.page.waitForTimeout(3000);
  await take(zh.page, 'zh', 'opening');
  await zh.close();
  const phone = await Lab.open(browser, host.url, { viewport: { width: 390, height: 844 }, hash: '' });
  await opening(phone);
  await take(phone.page, 'phone', 'opening');
  await phone.close();
} finally {
  await browser.close();
  await host.close();
}

async function take(page, look, name) {
  await page.evaluate(() => document.activeElement?.blur());
  if (look === 'stage') {
    await page.locator('[aria-label="Stage mode"]').dispatchEvent('click');
    await page.waitForTimeout(600);
  }
  const path = join(into, `${name}-${look}.webp`);
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 88 });
  writeFileSync(path, Buffer.from(data, 'base64'));
  console.log(path);
}
