// The built lab in a real browser: serves dist/, opens Chromium, and drives the page as a person would, by the names
// of its buttons and the text twin of its stage.

import { createServer } from 'node:http';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
// The built lab, or another build of it to compare with.
const dist = process.env.ZEBU_DIST ?? join(root, 'dist');
export const tools = process.env.ZEBU_NODE_TOOLS ?? join(root, 'target/test-tools/node');
const { chromium } = createRequire(join(tools, 'package.json'))('playwright-core');

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
};

// A plain web host: what dist/ must get by with. With `gzip`, one that sends the packed files beside the plain ones.
export async function serveDist({ gzip = false } = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    const name = path === '/' ? 'index.html' : path.slice(1);
    try {
      const file = join(dist, name);
      const packed = gzip ? await readFile(`${file}.gz`).catch(() => undefined) : undefined;
      const body = packed ?? (await readFile(file));
      const headers = { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream', 'content-length': body.length };
      response.writeHead(200, packed ? { ...headers, 'content-encoding': 'gzip' } : headers);
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => new Promise((done) => server.close(done)) };
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.ZEBU_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--disable-background-networking'],
  });
}

// Where a test puts pictures of what went wrong.
export function folder(name) {
  const path = join(process.env.ZEBU_TEST_DIR ?? join(root, 'target/test-data'), name);
  mkdirSync(path, { recursive: true });
  return path;
}

const PATIENCE = 60_000;

// One page of the lab.
export class Lab {
  static async open(browser, url, { viewport = { width: 1600, height: 1000 }, colorScheme = 'light', hash = '#/?', reducedMotion = 'no-preference', before } = {}) {
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion, locale: 'en-GB' });
    const page = await context.newPage();
    if (before) await page.addInitScript(before);
    const lab = new Lab(context, page);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) lab.complaints.push(message.text());
    });
    page.on('pageerror', (error) => lab.complaints.push(String(error)));
    page.on('response', (response) => {
      if (response.status() >= 400) lab.complaints.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(url + hash);
    await page.getByTestId('servers').locator('[data-server]').first().waitFor({ state: 'attached', timeout: PATIENCE });
    return lab;
  }

  constructor(context, page) {
    this.context = context;
    this.page = page;
    this.complaints = [];
  }

  close() {
    return this.context.close();
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true, includeHidden: true });
  }

  // Presses a button as assistive technology does: by its name, wherever it lies on the screen.
  async press(name) {
    await this.button(name).first().dispatchEvent('click');
  }

  // The text twin: one entry for each server.
  async servers() {
    return this.page.getByTestId('servers').evaluate((table) => {
      const rows = {};
      for (const row of table.querySelectorAll('[data-server]')) {
        const field = (name) => row.querySelector(`[data-field="${name}"]`)?.textContent.trim();
        rows[row.dataset.server] = {
          id: Number(row.dataset.server),
          state: field('state'),
          epoch: Number(field('epoch')),
          logged: field('logged'),
          committed: field('committed'),
        };
      }
      return Object.values(rows).sort((a, b) => a.id - b.id);
    });
  }

  async text(testId) {
    return (await this.page.getByTestId(testId).first().textContent()).trim();
  }

  // Waits until the servers are as asked for, and returns them.
  async until(what, condition, patience = PATIENCE) {
    const deadline = Date.now() + patience;
    for (;;) {
      const servers = await this.servers();
      if (condition(servers)) return servers;
      if (Date.now() > deadline) throw new Error(`not within ${patience / 1000} s: ${what}\n${JSON.stringify(servers)}`);
      await this.page.waitForTimeout(50);
    }
  }

  // Waits for one leader of a later epoch than `after` whom all others that run follow in that epoch; `of` limits it to
  // some servers.
  async leader({ after = 0, of = undefined } = {}) {
    const part = (servers) => servers.filter((server) => !of || of.includes(server.id));
    const servers = await this.until(`one leader of ${of ?? 'all'} after epoch ${after}`, (all) => {
      const running = part(all).filter((server) => server.state !== 'down');
      const leaders = running.filter((server) => server.state === 'leading');
      const others = running.filter((server) => ['following', 'observing'].includes(server.state));
      const epochs = new Set(running.map((server) => server.epoch));
      return leaders.length === 1 && others.length === running.length - 1 && epochs.size === 1 && leaders[0].epoch > after;
    });
    return part(servers).find((server) => server.state === 'leading');
  }

  async pause() {
    if (await this.button('Pause').count()) await this.press('Pause');
    await this.button('Play').first().waitFor({ state: 'attached' });
  }

  async play() {
    if (await this.button('Play').count()) await this.press('Play');
    await this.button('Pause').first().waitFor({ state: 'attached' });
  }

  // As fast as the page goes: a test waits for events, not for people.
  async hurry() {
    for (let i = 0; i < 12; i += 1) await this.press('Faster');
  }

  // Sets the speed: 0 is ×1, each step doubles it.
  async speed(power) {
    for (let i = 0; i < 12; i += 1) await this.press('Slower');
    for (let i = -6; i < power; i += 1) await this.press('Faster');
  }

  async cut(groupA, groupB, verb = 'Cut') {
    for (const a of groupA) {
      for (const b of groupB) {
        await this.press(`${verb} link ${Math.min(a, b)}–${Math.max(a, b)}`);
      }
    }
  }

  // Has a client of a server do an operation; on a phone the form may be behind a tab.
  async send(line, server) {
    await this.page.getByLabel('Server', { exact: true }).first().selectOption(String(server), { force: true });
    await this.page.getByLabel('Operation', { exact: true }).first().fill(line, { force: true });
    await this.press('Send');
  }
}

// The counter and epoch of `epoch:counter` as one number that grows with the zxid; -1 for none.
export function zxid(text) {
  const match = /^(\d+):(\d+)$/.exec(text ?? '');
  return match ? Number(match[1]) * 2 ** 32 + Number(match[2]) : -1;
}

export function committedOf(server) {
  return zxid(server.committed);
}

// For pictures: a leader, two writes that all have, and a third in the midst of its way. Returns the leader.
export async function midWrite(lab) {
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
