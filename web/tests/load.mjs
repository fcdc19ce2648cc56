// How soon the lab is there: node web/tests/load.mjs
//
// A benchmark, not a test. Q2: the first paint over 10 Mbit/s with 20 ms to the server, nothing kept from before; and
// when the stage stands and plays. Files come packed with gzip, as servers send them.

import { best, load } from './figures.mjs';
import { launch, serveDist } from './page.mjs';

const MEGABIT = 1_000_000 / 8;

const host = await serveDist({ gzip: true });
const browser = await launch();
try {
  console.log(`first visit over 10 Mbit/s, milliseconds (${load()})`);
  await best(3, 'stage', visit);
} finally {
  await browser.close();
  await host.close();
}

async function visit() {
  const context = await browser.newContext({ viewport: { width: 1920, height: 1080 }, locale: 'en-GB' });
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.enable');
  const rates = { downloadThroughput: 10 * MEGABIT, uploadThroughput: 10 * MEGABIT };
  await devtools.send('Network.emulateNetworkConditions', { offline: false, latency: 20, ...rates });
  let bytes = 0;
  devtools.on('Network.loadingFinished', (event) => { bytes += event.encodedDataLength; });
  await page.addInitScript(() => {
    requestAnimationFrame(function look(now) {
      if (document.querySelector('.stage-svg .server')) window.stood = now;
      else requestAnimationFrame(look);
    });
  });
  await page.goto(host.url);
  await page.waitForFunction(() => window.stood);
  const figures = await page.evaluate(() => {
    const paints = Object.fromEntries(performance.getEntriesByType('paint').map((entry) => [entry.name, entry.startTime]));
    return { 'first paint': paints['first-paint'], 'with content': paints['first-contentful-paint'], stage: window.stood };
  });
  await context.close();
  return { ...figures, 'KB loaded until then': bytes / 1000 };
}
