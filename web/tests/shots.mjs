// Pictures of the lab for looking at: node web/tests/shots.mjs [folder]
//
// Each size, theme and language once, with an ensemble that has elected, written, and lost a server.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Lab, folder, launch, serveDist } from './page.mjs';

const SIZES = { screen: { width: 1920, height: 1080 }, phone: { width: 390, height: 844 } };

const into = process.argv[2] ?? folder('shots');
mkdirSync(into, { recursive: true });
const host = await serveDist();
const browser = await launch();
try {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const lab = await Lab.open(browser, host.url, { viewport, colorScheme });
      await act(lab);
      for (const language of ['en', 'zh']) {
        if (language === 'zh') await lab.page.locator('button[lang], button', { hasText: '中文' }).first().dispatchEvent('click');
        await lab.page.waitForTimeout(300);
        const path = join(into, `${size}-${colorScheme}-${language}.png`);
        await lab.page.screenshot({ path });
        console.log(path);
      }
      for (const complaint of lab.complaints) console.log(`  console: ${complaint}`);
      await lab.close();
    }
  }
} finally {
  await browser.close();
  await host.close();
}

// Something to look at: two epochs in the logs, a server that is down, a write on its way.
async function act(lab) {
  await lab.hurry();
  const first = await lab.leader();
  for (const name of ['a', 'b', 'c']) await lab.send(`create /${name} 1`, first.id);
  await lab.until('three writes', (servers) => servers.every((server) => server.committed === `${first.epoch}:4`));
  await lab.press(`Kill server ${first.id}`);
  const second = await lab.leader({ after: first.epoch });
  await lab.send('create /d 1', second.id);
  await lab.send('set /a 2', second.id);
  await lab.page.waitForTimeout(1500);
  // Then slowly, and stopped while proposals are on their way.
  await lab.speed(-2);
  await lab.pause();
  await lab.send('set /b 2', second.id);
  for (let step = 0; step < 60 && !(await lab.page.getByText(`Server ${second.id} proposes`).count()); step += 1) {
    await lab.press('Step');
    await lab.page.waitForTimeout(30);
  }
  await lab.play();
  await lab.page.waitForTimeout(2200);
  await lab.pause();
  await lab.page.evaluate(() => document.activeElement?.blur());
}
