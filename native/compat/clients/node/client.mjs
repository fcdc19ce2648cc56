// A script of the npm package node-zookeeper-client: node client.mjs HOSTS
//
// Prints `ok STEP` for each step that went as it must; the first that does not ends the script with an error. The
// package is looked for in the folder ZEBU_NODE_TOOLS.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

const tools = createRequire(join(process.env.ZEBU_NODE_TOOLS, 'package.json'));
const { ACL, CreateMode, createClient, Event, Exception, Id, Permission, State } = tools('node-zookeeper-client');

const hosts = process.argv[2];
const top = `/node-${process.pid}`;

/** A connected client whose calls return promises. */
async function connect(chroot = '') {
  const client = createClient(hosts + chroot, { sessionTimeout: 10_000, retries: 5 });
  const connected = new Promise((resolve) => client.once('connected', resolve));
  client.connect();
  await connected;
  const call = (name) => (...given) => {
    // The package leaves the first of several results to promisify; a read gives its Stat as a second one.
    const done = (resolve, reject) => (error, ...results) =>
      error ? reject(error) : resolve(results.length > 1 ? results : results[0]);
    return new Promise((resolve, reject) => client[name](...given, done(resolve, reject)));
  };
  const names = ['create', 'exists', 'getData', 'setData', 'getChildren', 'remove', 'getACL', 'setACL', 'mkdirp'];
  const calls = Object.fromEntries(names.map((name) => [name, call(name)]));
  return { client, ...calls };
}

/** Ends a session and waits until the client knows. */
function close({ client }) {
  const gone = new Promise((resolve) => client.once('disconnected', resolve));
  client.close();
  return gone;
}

/** Runs a step whose watcher must be called, and returns the event. */
async function eventOf(step) {
  let told;
  const event = new Promise((resolve) => (told = resolve));
  await step((seen) => told(seen));
  return event;
}

/** Tries until it goes well: a session's server may be behind another's, and this package has no sync. */
async function soon(call) {
  for (;;) {
    try {
      return await call();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Removes a node and all below. The package's own way to do so misses what is deeper than one level. */
async function removeAll(session, path) {
  const [names] = await session.getChildren(path, null);
  for (const name of names) await removeAll(session, `${path}/${name}`);
  await session.remove(path);
}

const rejectsWith = (code, call) => assert.rejects(call, (error) => error.getCode() === code);

async function step(name, run) {
  await run();
  console.log(`ok ${name}`);
}

const patience = setTimeout(() => {
  console.error('the script hangs');
  process.exit(1);
}, 60_000);

const one = await connect();
const two = await connect();

await step('connect', async () => {
  assert.equal(one.client.getState(), State.SYNC_CONNECTED);
  assert.notDeepEqual(one.client.getSessionId(), two.client.getSessionId());
  assert.equal(one.client.getSessionPassword().length, 16);
});

await step('create and get', async () => {
  assert.equal(await one.create(top, Buffer.from('first')), top);
  const [data, stat] = await one.getData(top, null);
  assert.equal(data.toString(), 'first');
  assert.equal(stat.version, 0);
  assert.equal(stat.dataLength, 5);
  await rejectsWith(Exception.NODE_EXISTS, one.create(top));
  await rejectsWith(Exception.NO_NODE, one.create(`${top}/none/child`));
});

await step('a watch of data', async () => {
  const event = await eventOf(async (watcher) => {
    await one.getData(top, watcher);
    const stat = await two.setData(top, Buffer.from('second'), 0);
    assert.equal(stat.version, 1);
  });
  assert.equal(event.getType(), Event.NODE_DATA_CHANGED);
  assert.equal(event.getPath(), top);
  const [data] = await one.getData(top, null);
  assert.equal(data.toString(), 'second');
  await rejectsWith(Exception.BAD_VERSION, two.setData(top, Buffer.from('third'), 0));
});

await step('watches of existence and of children', async () => {
  const child = `${top}/child`;
  const children = [];
  const created = await eventOf(async (watcher) => {
    await one.getChildren(top, (event) => children.push(event.getType()));
    assert.equal(await one.exists(child, watcher), null);
    await two.create(child);
  });
  assert.equal(created.getType(), Event.NODE_CREATED);
  const [names, stat] = await one.getChildren(top, null);
  assert.deepEqual(names, ['child']);
  assert.equal(stat.numChildren, 1);
  assert.deepEqual(children, [Event.NODE_CHILDREN_CHANGED]);
  await rejectsWith(Exception.NOT_EMPTY, one.remove(top));
  const deleted = await eventOf(async (watcher) => {
    await one.exists(child, watcher);
    await two.remove(child);
  });
  assert.equal(deleted.getType(), Event.NODE_DELETED);
});

await step('sequential nodes', async () => {
  const made = [];
  for (let n = 0; n < 3; n += 1) made.push(await one.create(`${top}/n-`, null, CreateMode.PERSISTENT_SEQUENTIAL));
  assert.deepEqual(made, [1, 2, 3].map((n) => `${top}/n-${String(n).padStart(10, '0')}`));
});

await step('a transaction', async () => {
  const commit = (transaction) => promisify(transaction.commit.bind(transaction))();
  const path = `${top}/t`;
  const results = await commit(
    one.client.transaction().create(path).setData(path, Buffer.from('x')).check(path, 1).create(`${path}/u`).remove(`${path}/u`),
  );
  assert.equal(results.length, 5);
  const failing = one.client.transaction().create(`${path}/never`).check(path, 9);
  await rejectsWith(Exception.BAD_VERSION, commit(failing));
  assert.equal(await one.exists(`${path}/never`, null), null);
});

await step('access lists', async () => {
  const path = `${top}/mine`;
  one.client.addAuthInfo('digest', Buffer.from('user1:12345'));
  await one.create(path, Buffer.from('m'), [new ACL(Permission.ALL, new Id('auth', ''))]);
  const [acls] = await one.getACL(path);
  assert.equal(acls[0].id.id, 'user1:+owfoSBn/am19roBPzR1/MfCblE=');
  await soon(async () => assert.ok((await two.getChildren(top, null))[0].includes('mine')));
  await rejectsWith(Exception.NO_AUTH, two.getData(path, null));
  await one.setACL(path, ACL.OPEN_ACL_UNSAFE, 0);
  const [data] = await soon(() => two.getData(path, null));
  assert.equal(data.toString(), 'm');
});

await step('a chroot', async () => {
  const inside = await connect(top);
  await inside.mkdirp('/deep/er');
  await soon(async () => assert.notEqual(await one.exists(`${top}/deep/er`, null), null));
  await close(inside);
});

await step('an ephemeral goes with its session', async () => {
  const path = `${top}/ephemeral`;
  await two.create(path, null, CreateMode.EPHEMERAL);
  await rejectsWith(Exception.NO_CHILDREN_FOR_EPHEMERALS, two.create(`${path}/child`));
  await soon(async () => assert.notEqual(await one.exists(path, null), null));
  const event = await eventOf(async (watcher) => {
    const stat = await one.exists(path, watcher);
    assert.deepEqual(stat.ephemeralOwner, two.client.getSessionId());
    await close(two);
  });
  assert.equal(event.getType(), Event.NODE_DELETED);
});

await step('remove all and close', async () => {
  await removeAll(one, top);
  assert.equal(await one.exists(top, null), null);
  await close(one);
});
clearTimeout(patience);
