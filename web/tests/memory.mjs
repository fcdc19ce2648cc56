// What a long run takes: node web/tests/memory.mjs [events] [servers]
//
// A benchmark, not a test. Q3: the program's memory and the page's heap, after collection, with a run of 100,000 events.

import { load, longRun } from './figures.mjs';
import { Lab, launch, serveDist } from './page.mjs';

const [events = 100_000, servers = 5] = process.argv.slice(2).map(Number);

const host = await serveDist();
const browser = await launch();
try {
  const lab = await Lab.open(browser, host.url, { hash: '#/?paused&memory=1000', before: keepMemory });
  const devtools = await lab.context.newCDPSession(lab.page);
  await devtools.send('HeapProfiler.enable');
  for (const upto of [0, events / 10, events / 2, events]) {
    const begun = Date.now();
    if (upto) {
      await lab.page.evaluate((hash) => { location.hash = hash; }, longRun(upto, { servers, every: Math.max(100, upto / 500) }));
      await lab.page.waitForTimeout(300);
      await lab.page.waitForFunction(() => !document.querySelector('[data-testid="travel"]'), undefined, { timeout: 1_200_000 });
    }
    const there = await lab.page.locator('.status .mono').textContent();
    await devtools.send('HeapProfiler.collectGarbage');
    const { usedSize } = await devtools.send('Runtime.getHeapUsage');
    const program = await lab.page.evaluate(() => window.program.exports.memory.buffer.byteLength);
    const mb = (bytes) => (bytes / 1e6).toFixed(1);
    const notice = await lab.page.getByTestId('notice').allTextContents();
    console.log(`${there}: program ${mb(program)} MB + heap ${mb(usedSize)} MB = ${mb(program + usedSize)} MB, ` +
      `played in ${((Date.now() - begun) / 1000).toFixed(0)} s (${load()}) ${notice}`);
  }
} finally {
  await browser.close();
  await host.close();
}

// Keeps the instance of the page's program where it can be asked for its memory.
function keepMemory() {
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const own = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await own.apply(WebAssembly, given);
      window.program = made.instance ?? made;
      return made;
    };
  }
}
