// How long going through time takes: node web/tests/seeks.mjs [events] [--profile]
//
// A benchmark, not a test. T8: dragging over 10,000 events, each seek drawn: stage, timeline and the pane whose turn it
// is, as in a running show; all panes follow when the slider rests. T10: the small picture of a moment under the pointer.

import { at, best, load, longRun, profiled, worked } from './figures.mjs';
import { Lab, launch, serveDist } from './page.mjs';

const events = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 10_000);
const profile = process.argv.includes('--profile');

const host = await serveDist();
const browser = await launch();
try {
  const lab = await Lab.open(browser, host.url, { viewport: { width: 1920, height: 1080 }, hash: longRun(events) });
  await lab.page.waitForFunction(() => !document.querySelector('[data-testid="travel"]'), undefined, { timeout: 600_000 });
  for (const [what, act] of [['T8: a seek of dragging', drag], ['T10: a preview', hover]]) {
    console.log(`${what} over ${events} events, milliseconds until it is drawn (${load()})`);
    const run = async () => {
      const work = await worked(lab);
      const times = (await lab.page.evaluate(act, 150)).sort((a, b) => a - b);
      return { median: at(times, 0.5), p95: at(times, 0.95), longest: times.at(-1), ...(await work(times.length)) };
    };
    if (profile) await profiled(lab, run);
    else await best(3, 'p95', run);
  }
} finally {
  await browser.close();
  await host.close();
}

// Places all over the slider, one after the other; each is done when the page has worked it off.
async function drag(count) {
  const slider = document.querySelector('.scrub');
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  const times = [];
  let place = 7;
  for (let i = 0; i < count; i += 1) {
    place = (place * 37 + 11) % 2000;
    const begun = performance.now();
    set.call(slider, String(place / 2));
    slider.dispatchEvent(new InputEvent('input', { bubbles: true }));
    await new Promise((done) => setTimeout(done, 0));
    // Layout belongs to it.
    document.body.getBoundingClientRect();
    times.push(performance.now() - begun);
    await new Promise((done) => requestAnimationFrame(done));
  }
  return times;
}

// The pointer over places all over the slider, until the picture shows that moment.
async function hover(count) {
  const slider = document.querySelector('.scrub');
  const box = slider.getBoundingClientRect();
  const shown = () => document.querySelector('[data-testid="preview"]')?.textContent;
  const times = [];
  let place = 7;
  for (let i = 0; i < count; i += 1) {
    place = (place * 37 + 11) % 2000;
    const before = shown();
    const begun = performance.now();
    const options = { bubbles: true, pointerType: 'mouse', clientX: box.left + (box.width * place) / 2000, clientY: box.top + 4 };
    slider.dispatchEvent(new PointerEvent('pointermove', options));
    while (shown() === before && performance.now() - begun < 1000) await new Promise((done) => setTimeout(done, 0));
    document.body.getBoundingClientRect();
    times.push(performance.now() - begun);
  }
  return times;
}
