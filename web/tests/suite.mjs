// What every file of browser tests needs: a host, a browser, and pages that are closed and looked through afterwards.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';
import { Lab, folder, launch, serveDist } from './page.mjs';

// Call it once in a file; it gives what `fresh` needs.
export function suite() {
  const on = { host: undefined, browser: undefined, labs: [] };
  before(async () => {
    on.host = await serveDist();
    on.browser = await launch();
  });
  after(async () => {
    await on.browser?.close();
    await on.host?.close();
  });
  afterEach(async (context) => {
    const failed = context.passed === false || context.error;
    const complaints = [];
    for (const [index, lab] of on.labs.entries()) {
      if (failed && !lab.page.isClosed()) {
        await lab.page.screenshot({ path: join(folder('browser'), `${context.name.replaceAll(/\W+/g, '-').slice(0, 60)}-${index}.png`) });
      }
      complaints.push(...lab.complaints);
      await lab.close();
    }
    on.labs = [];
    assert.deepEqual(complaints, [], 'the console has complaints');
  });
  return on;
}

// A new page; `address` is a whole one instead of a hash.
export async function fresh(on, { address, ...options } = {}) {
  const lab = await Lab.open(on.browser, address ?? on.host.url, address ? { ...options, hash: '' } : options);
  on.labs.push(lab);
  return lab;
}
