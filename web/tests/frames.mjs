// How smoothly the lab moves: node web/tests/frames.mjs [servers] [seconds]
//
// A benchmark, not a test: it prints the median and the 95th percentile of the time between frames, with clients that
// write all the while.

import { Lab, launch, serveDist } from './page.mjs';

const servers = Number(process.argv[2] ?? 9);
const seconds = Number(process.argv[3] ?? 20);

const host = await serveDist();
const browser = await launch();
try {
  const lab = await Lab.open(browser, host.url, { viewport: { width: 1920, height: 1080 }, hash: `#/?servers=${servers}` });
  await lab.hurry();
  const leader = await lab.leader();
  await lab.speed(0); // the pace of a class

  const writing = { on: true };
  const writer = write(lab, leader.id, writing);
  const frames = await lab.page.evaluate(measure, seconds * 1000);
  writing.on = false;
  const written = await writer;

  frames.sort((a, b) => a - b);
  const at = (share) => frames[Math.min(frames.length - 1, Math.floor(frames.length * share))].toFixed(1);
  const rate = (1000 * frames.length) / frames.reduce((sum, frame) => sum + frame, 0);
  console.log(
    `${servers} servers, ${seconds} s, ${written} writes: ${rate.toFixed(1)} frames a second, ` +
      `median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${frames.at(-1).toFixed(1)} ms`,
  );
} finally {
  await browser.close();
  await host.close();
}

function measure(duration) {
  return new Promise((done) => {
    const frames = [];
    const started = performance.now();
    let last = started;
    requestAnimationFrame(function next(now) {
      frames.push(now - last);
      last = now;
      if (now - started < duration) requestAnimationFrame(next);
      else done(frames.slice(1));
    });
  });
}

async function write(lab, server, writing) {
  let written = 0;
  while (writing.on) {
    await lab.send(`create -s /load- ${written}`, server);
    written += 1;
    await lab.page.waitForTimeout(100);
  }
  return written;
}
