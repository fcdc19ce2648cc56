// Every scenario that the page lists is played through to its end: its run is the native one, event by event, and what
// it asserts at its end is true on the text twin of the stage.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fresh, suite } from './suite.mjs';

const on = suite();

const file = (name) => new URL(`../../static/scenarios/${name}.json`, import.meta.url);
// Each line of the golden file: a scenario and the digest of its trace, as the native test run writes it.
const golden = readFileSync(new URL('../../core/tests/golden/scenarios.txt', import.meta.url), 'utf8');
const digests = new Map(golden.trim().split('\n').map((line) => line.split(/\s+/)));

test('every scenario file is in the list of the page, and has a native digest', async () => {
  const files = readdirSync(new URL('../../static/scenarios/', import.meta.url)).filter((name) => name.endsWith('.json'));
  const lab = await fresh(on, { hash: '#/?paused' });
  await lab.press('Scenarios');
  const listed = await lab.page.locator('[data-scenario]').evaluateAll((all) => all.map((one) => one.dataset.scenario));
  assert.deepEqual([...listed].sort(), files.map((name) => name.replace('.json', '')).sort());
  assert.deepEqual([...digests.keys()].sort(), [...listed].sort());
});

// One page for a handful: opening it takes longer than most scenarios.
const names = [...digests.keys()];
for (let from = 0; from < names.length; from += 10) {
  const some = names.slice(from, from + 10);
  test(`played to their ends: ${some.join(', ')}`, async () => {
    const lab = await fresh(on, { hash: '#/?paused' });
    for (const name of some) {
      await lab.page.evaluate((hash) => { location.hash = hash; }, `#/s/${name}?run=end`);
      const scenario = JSON.parse(readFileSync(file(name), 'utf8'));
      await lab.page.waitForFunction(
        (title) => document.querySelector('.crumb')?.textContent.includes(title) && document.querySelector('[data-testid="trace-digest"]'),
        scenario.title.en,
        { timeout: 60_000 },
      );
      assert.equal(await lab.text('trace-digest'), digests.get(name), name);
      const spoken = scenario.steps.filter((step) => step.note).length;
      assert.match(await lab.text('chapter'), new RegExp(`^${spoken} / ${spoken}`), `${name} has spoken all its passages`);
      const twin = await look(lab);
      let seen = 0;
      for (const condition of atTheEnd(scenario.steps)) {
        const held = await holds(condition, twin, lab);
        assert.notEqual(held, false, `${name}: ${JSON.stringify(condition)}\n${JSON.stringify(twin)}`);
        seen += held === true ? 1 : 0;
      }
      assert.ok(seen > 0, `${name}: nothing of what it asserts can be read off the page`);
    }
  });
}

// What is asserted after the last event.
function atTheEnd(steps) {
  const found = [];
  const split = (condition) => (condition.all ? condition.all.flatMap(split) : [condition]);
  for (const { do: what } of steps.toReversed()) {
    const condition = what.expect ?? what.until?.condition;
    if (!condition) break;
    found.push(...split(condition));
    if (what.until) break;
  }
  return found;
}

// The text twin, the rules, and what clients say.
function look(lab) {
  return lab.page.evaluate(() => {
    const fields = (row) => Object.fromEntries([...row.querySelectorAll('[data-field]')].map((f) => [f.dataset.field, f.dataset.value ?? f.textContent.trim()]));
    const servers = [...document.querySelectorAll('[data-testid="servers"] [data-server]')].map((row) => ({ id: Number(row.dataset.server), ...fields(row) }));
    const clients = [...document.querySelectorAll('.client-item')].map((item) => {
      const said = [...item.querySelectorAll('.talk li')];
      const last = said.filter((line) => !line.classList.contains('event')).at(-1);
      return [item.dataset.client, { answer: last?.querySelector('.answer')?.textContent, failed: last?.classList.contains('failed') }];
    });
    const broken = [...document.querySelectorAll('[data-broken]')].map((rule) => rule.dataset.broken);
    return { servers, clients: Object.fromEntries(clients), broken };
  });
}

// Whether a condition holds on the twin; undefined for what only the inspector or the run itself tells.
async function holds(condition, twin, lab) {
  if (condition === 'safe') return twin.broken.length === 0;
  const up = twin.servers.filter((server) => server.state !== 'down');
  if (condition === 'agreed') return new Set(up.map((server) => `${server.logged} ${server.committed}`)).size === 1;
  const [[kind, what]] = Object.entries(condition);
  const at = chosen(what.at ?? what.server, twin.servers, up);
  switch (kind) {
    case 'not': {
      const inner = await holds(what, twin, lab);
      return inner === undefined ? undefined : !inner;
    }
    case 'broken': return twin.broken.includes(what);
    case 'leader': {
      const leaders = twin.servers.filter((server) => server.state === 'leading').sort((a, b) => b.epoch - a.epoch);
      return leaders.length > 0 && (!at || at.includes(leaders[0])) && (what.epoch === undefined || Number(leaders[0].epoch) === what.epoch);
    }
    case 'state': return at?.every((server) => server.state === what.is);
    case 'logged': return at?.every((server) => server.logged === what.zxid);
    case 'committed': return at?.every((server) => server.committed === what.zxid);
    case 'doing': return what.stage === undefined ? undefined : at?.every((server) => server.stage === what.stage);
    case 'answered': return says(twin.clients[what.client], false, what.with);
    case 'refused': return says(twin.clients[what.client], true, what.with);
    case 'exists':
    case 'absent': {
      if (!at || twin.servers.some((server) => server.stage !== undefined)) return undefined;
      for (const server of at) {
        await lab.page.evaluate(() => document.activeElement?.blur());
        await lab.page.keyboard.press(String(server.id));
        await lab.page.locator(`.server.selected[data-id="${server.id}"]`).waitFor({ state: 'attached' });
        // While an election goes on, its ballots stand in the tree's place.
        if (!(await lab.page.locator('.znode').count())) return undefined;
        // What only the leader has is listed too, as missing here.
        const znode = lab.page.locator(`.znode:not(.missing)[data-path="${what.path}"]`);
        const text = (await znode.count()) ? await znode.first().textContent() : undefined;
        const there = text !== undefined && (what.data === undefined || text.includes(what.data));
        if (there !== (kind === 'exists')) return false;
      }
      return true;
    }
    default: return undefined;
  }
}

const says = (client, failed, part = '') => client?.answer !== undefined && client.failed === failed && client.answer.includes(part);

// The servers that a selector means, as far as that can be said without the run: by number, all, those that run.
function chosen(selector, all, up) {
  if (selector === 'all') return all;
  if (selector === 'up') return up;
  const ids = String(selector).split(',').map(Number);
  return ids.every(Number.isInteger) ? all.filter((server) => ids.includes(server.id)) : undefined;
}
