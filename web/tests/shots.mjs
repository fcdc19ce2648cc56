// Pictures of the lab for looking at: node web/tests/shots.mjs [folder] [words that a picture's name contains ...]
//
// Many states, each at the sizes and in the looks in which it is worth a look. With words, only the pictures whose
// name (size-look-language-state) has all of them; a word that begins with ~ must be missing. A name that begins with
// `play:` plays that scenario with Next and takes a picture of every passage: play:leader-crash.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Lab, folder, launch, midWrite, serveDist } from './page.mjs';

const SIZES = {
  screen: { width: 1920, height: 1080 },
  laptop: { width: 1366, height: 768 },
  phone: { width: 390, height: 844 },
};
const LOOKS = { light: 'light', dark: 'dark', stage: 'light', stagedark: 'dark' };

// What is looked at: how it is opened, and what is done then. Without a function: opened and looked at for a moment.
const STATES = {
  opening: { hash: '', act: (lab) => passage(lab, 3) },
  electing: { hash: '#/?', act: electing },
  writing: { hash: '#/?', act: writing },
  partition: { hash: '#/s/leader-in-minority', act: (lab) => passage(lab, 3) },
  clients: { hash: '#/?', act: clients },
  recipes: { hash: '#/s/lock-queue', act: (lab) => passage(lab, 4) },
  spacetime: { hash: '#/?', act: spaceTime },
  inspector: { hash: '#/?', act: inspector },
  ballots: { hash: '#/s/id-breaks-ties', act: (lab) => passage(lab, 3) },
  paxos: { hash: '#/s/duelling-proposers', act: (lab) => passage(lab, 4) },
  nine: { hash: '#/s/nine-in-threes', act: (lab) => passage(lab, 3) },
  menu: { hash: '#/?', act: serverMenu },
  link: { hash: '#/?', act: linkMenu },
  until: { hash: '#/?', act: timeMenu },
  faults: { hash: '#/?', act: faults },
  legend: { hash: '#/?', act: legend },
  events: { hash: '#/?', act: (lab) => tab(lab, 'Events') },
  figures: { hash: '#/?', act: (lab) => tab(lab, 'Figures') },
  share: { hash: '#/?', act: (lab) => dialog(lab, 'Share') },
  scenarios: { hash: '#/?', act: (lab) => dialog(lab, 'Scenarios') },
  setup: { hash: '#/?', act: (lab) => dialog(lab, 'Ensemble') },
  help: { hash: '#/?', act: (lab) => dialog(lab, 'Help') },
  compare: { hash: '#/compare', act: compare },
};

const [into = folder('shots'), ...words] = process.argv.slice(2);
mkdirSync(into, { recursive: true });
const wanted = (name) => words.every((w) => (w.startsWith('~') ? !name.includes(w.slice(1)) : name.includes(w)));
const host = await serveDist();
const browser = await launch();
try {
  const played = words.find((w) => w.startsWith('play:'));
  if (played) await play(played.slice(5), words.filter((w) => w !== played));
  else for (const name of names()) await shot(name);
} finally {
  await browser.close();
  await host.close();
}

function names() {
  const all = [];
  for (const size of Object.keys(SIZES)) {
    for (const look of Object.keys(LOOKS)) {
      for (const language of ['en', 'zh']) {
        for (const state of Object.keys(STATES)) all.push([size, look, language, state].join('-'));
      }
    }
  }
  return all.filter(wanted);
}

async function open(size, look, language, hash) {
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme: LOOKS[look], locale: 'en-GB' });
  const page = await context.newPage();
  const lab = new Lab(context, page);
  page.on('pageerror', (error) => lab.complaints.push(String(error)));
  await page.goto(host.url + hash);
  await page.locator('[data-server], [data-pane]').first().waitFor({ state: 'attached', timeout: 60_000 });
  return lab;
}

async function dress(lab, look, language) {
  if (language === 'zh') await lab.page.locator('button', { hasText: '中文' }).first().dispatchEvent('click');
  await lab.page.evaluate(() => document.activeElement?.blur());
  if (look.startsWith('stage')) await lab.page.locator('[aria-label="Stage mode"], [aria-label="舞台模式"]').first().dispatchEvent('click');
  await lab.page.waitForTimeout(400);
}

async function shot(name) {
  const [size, look, language, state] = name.split('-');
  const lab = await open(size, look, language, STATES[state].hash);
  try {
    await STATES[state].act(lab);
    await dress(lab, look, language);
    await picture(lab, name);
  } catch (error) {
    console.log(`  ${name}: ${String(error).split('\n')[0]}`);
  } finally {
    await lab.close();
  }
}

async function picture(lab, name) {
  const path = join(into, `${name}.png`);
  await lab.page.screenshot({ path });
  console.log(path);
  for (const complaint of lab.complaints.splice(0)) console.log(`  console: ${complaint}`);
}

// As a teacher plays it: Next, look, Next.
async function play(name, how) {
  const size = how.find((w) => SIZES[w]) ?? 'screen';
  const look = how.find((w) => LOOKS[w]) ?? 'light';
  const language = how.includes('zh') ? 'zh' : 'en';
  const lab = await open(size, look, language, `#/s/${name}`);
  await lab.page.waitForTimeout(1500);
  await dress(lab, look, language);
  await picture(lab, `${name}-00`);
  for (let n = 1; n < 30; n += 1) {
    const next = lab.page.locator('.next-row .btn.primary');
    if (!(await next.count()) || (await next.isDisabled())) break;
    await next.dispatchEvent('click');
    await lab.page.waitForTimeout(1800);
    await picture(lab, `${name}-${String(n).padStart(2, '0')}`);
  }
  await lab.close();
}

async function passage(lab, n) {
  await lab.page.waitForTimeout(800);
  for (let turn = 0; turn < n; turn += 1) {
    await lab.press('Next');
    await lab.page.waitForTimeout(500);
  }
  await lab.page.waitForTimeout(1800);
}

async function electing(lab) {
  await lab.page.waitForTimeout(1500);
  await lab.pause();
}

// Two epochs in the logs, a server that is down, proposals on their way.
async function writing(lab) {
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
}

async function clients(lab) {
  const leader = await midWrite(lab);
  await lab.play();
  await lab.hurry();
  for (let n = 0; n < 5; n += 1) {
    await lab.page.getByLabel('Client', { exact: true }).first().selectOption(String(n), { force: true }).catch(() => {});
    await lab.send(`create /from-client-${n} hello`, 1 + (n % 5));
    await lab.page.waitForTimeout(600);
  }
  await lab.send('get -w /a', leader.id);
  await lab.page.waitForTimeout(1500);
  await lab.pause();
}

async function spaceTime(lab) {
  await midWrite(lab);
  await lab.press('Space–time');
  await lab.page.waitForTimeout(500);
}

async function inspector(lab) {
  const leader = await midWrite(lab);
  await lab.page.locator(`[data-server="${leader.id}"]`).first().dispatchEvent('click');
  await lab.page.locator('.phone-tabs .tab').nth(1).dispatchEvent('click');
}

async function serverMenu(lab) {
  await midWrite(lab);
  await lab.page.locator('.stage-svg .server').nth(1).dispatchEvent('click');
}

async function linkMenu(lab) {
  await midWrite(lab);
  await lab.page.locator('.stage-svg .link').nth(3).dispatchEvent('click');
}

async function timeMenu(lab) {
  await midWrite(lab);
  await lab.page.locator('.time-menu summary').dispatchEvent('click');
  await lab.page.evaluate(() => document.querySelector('.time-menu').setAttribute('open', ''));
}

async function faults(lab) {
  await midWrite(lab);
  await lab.page.evaluate(() => document.querySelectorAll('.left details').forEach((d) => d.setAttribute('open', '')));
  await lab.page.evaluate(() => document.querySelector('.left').scrollTo(0, 1e6));
}

async function legend(lab) {
  await midWrite(lab);
  await lab.page.evaluate(() => document.activeElement?.blur());
  await lab.page.keyboard.press('l');
}

async function tab(lab, name) {
  await midWrite(lab);
  await lab.page.locator('.tab', { hasText: name }).first().dispatchEvent('click');
  await lab.page.locator('.phone-tabs .tab', { hasText: name }).first().dispatchEvent('click');
}

async function dialog(lab, name) {
  await midWrite(lab);
  await lab.press(name);
  await lab.page.waitForTimeout(300);
}

async function compare(lab) {
  await lab.page.waitForTimeout(2000);
  await lab.button('Show how it ends').or(lab.page.locator('.side-foot > .btn')).first().dispatchEvent('click');
  await lab.page.waitForTimeout(800);
}
