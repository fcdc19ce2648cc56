// Keeps the lab for the time without a network: what was loaded once is there again. Names with a hash of their content
// never change; everything else is asked for first and taken from the store only when nobody answers.
const STORE = 'zebu-lab';
const HASHED = /\.[0-9a-f]{16}\.(js|wasm|css)$/;

self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

async function fresh(request) {
  const store = await caches.open(STORE);
  try {
    const answer = await fetch(request);
    if (answer.ok) await store.put(request, answer.clone());
    return answer;
  } catch (error) {
    const kept = await store.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

async function kept(request) {
  return (await (await caches.open(STORE)).match(request)) ?? fresh(request);
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  event.respondWith(HASHED.test(url.pathname) ? kept(request) : fresh(request));
});
