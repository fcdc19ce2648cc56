// How smoothly the lab moves: node web/tests/frames.mjs [servers] [clients] [seconds] [--profile]
//
// A benchmark, not a test: the time between frames at 1920x1080 while clients write all the while, so that about 300
// messages, servers, links, clients and znodes are on the stage. First at the pace of a class, then at sixteen times
// that with a backlog of writes.

import { at, best, load, profiled, worked } from './figures.mjs';
import { Lab, launch, serveDist } from './page.mjs';

const numbers = process.argv.slice(2).filter((word) => /^\d+$/.test(word)).map(Number);
const [servers = 9, clients = 12, seconds = 10] = numbers;
const profile = process.argv.includes('--profile');
const OBJECTS = 300;

const host = await serveDist();
const browser = await launch();
try {
  for (const speed of [0, 4]) {
    console.log(`${servers} servers, ${clients} clients, ×${2 ** speed}, ${seconds} s (${load()})`);
    await best(profile ? 1 : 3, 'p95', () => run(speed));
  }
} finally {
  await browser.close();
  await host.close();
}

async function run(speed) {
  const lab = await Lab.open(browser, host.url, { viewport: { width: 1920, height: 1080 }, hash: `#/?servers=${servers}` });
  await lab.hurry();
  await lab.leader();
  await lab.pause();
  for (let client = 0; client < clients; client += 1) {
    await lab.page.evaluate(ask, { client, server: (client % servers) + 1, line: `create /c${client} 0` });
  }
  await lab.play();
  await lab.until('all are connected', (all) => all.every((server) => Number(server.committed.split(':')[1]) >= clients * 1.5));
  if (speed > 0) {
    // The backlog is there before it is worked off: nearly nothing moves meanwhile.
    await lab.speed(-6);
    await lab.page.evaluate(backlog, { clients, turns: 40, ask: ask.toString() });
  }
  await lab.speed(speed);
  let measured;
  const work = await worked(lab);
  const act = async () => { measured = await lab.page.evaluate(measure, { duration: seconds * 1000, clients, objects: OBJECTS, ask: ask.toString() }); };
  await (profile ? profiled(lab, act) : act());
  const spent = await work(measured.frames.length);
  await lab.close();
  const frames = measured.frames.sort((a, b) => a - b);
  const objects = measured.objects.sort((a, b) => a - b);
  return {
    median: at(frames, 0.5), p95: at(frames, 0.95), longest: frames.at(-1),
    'frames a second': (1000 * frames.length) / frames.reduce((sum, frame) => sum + frame, 0),
    'objects (median)': at(objects, 0.5), 'objects (most)': objects.at(-1), writes: measured.writes, ...spent,
  };
}

// Each client writes so many times, without waiting for answers.
async function backlog({ clients, turns, ask }) {
  const write = (0, eval)(`(${ask})`);
  for (let turn = 0; turn < turns; turn += 1) {
    for (let client = 0; client < clients; client += 1) await write({ client, line: `set /c${client} ${turn}`, wait: 0 });
  }
}

// Has a client ask for something, by the form; one that is not there yet is connected to a server first.
function ask({ client, server, line, wait = 50 }) {
  const pane = document.querySelector('.clients-pane .ask');
  const [who, via] = pane.querySelectorAll('select');
  const pick = (select, value) => {
    select.value = value;
    select.dispatchEvent(new Event('change', { bubbles: true }));
  };
  pick(who, String(client));
  pick(via, server === undefined ? '' : String(server));
  const input = pane.querySelector('input');
  input.value = line;
  input.dispatchEvent(new InputEvent('input', { bubbles: true }));
  return new Promise((done) => setTimeout(() => { pane.requestSubmit(); setTimeout(done, wait); }, 0));
}

// Frames and objects of some seconds; whenever there is room on the stage, the next client writes.
function measure({ duration, clients, objects: wanted, ask }) {
  const write = (0, eval)(`(${ask})`);
  // Of a crowd, many messages are one path.
  const dots = () => [...document.querySelectorAll('.crowd')].reduce((sum, path) => sum + path.getAttribute('d').split('M').length - 1, 0);
  const count = () => document.querySelectorAll('.packet:not([display]), .server, .client-node, .link, .znode').length + dots();
  return new Promise((done) => {
    const [frames, objects] = [[], []];
    const started = performance.now();
    let [last, looked, writes] = [started, started, 0];
    requestAnimationFrame(function next(now) {
      frames.push(now - last);
      last = now;
      if (now - looked > 100) {
        looked = now;
        const there = count();
        objects.push(there);
        for (let n = 0; there < wanted && n < 6; n += 1) write({ client: writes % clients, line: `set /c${writes % clients} ${(writes += 1)}` });
      }
      if (now - started < duration) requestAnimationFrame(next);
      else done({ frames: frames.slice(1), objects, writes });
    });
  });
}
