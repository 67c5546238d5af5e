// An application made with both of the vendor's builders. It verifies every
// request with both of the vendor's verifiers and prints it as a line of JSON:
// {path, query, body, errors}. The first line is its address.
import http from 'node:http';
import { createRequire } from 'node:module';
import { WebhookResponse } from '@jambonz/sdk/webhook';

const { WebhookResponse: OldResponse } = createRequire(import.meta.url)('@jambonz/node-client');
const { SECRET, PROMPT, OTHER } = process.env;

const documents = {
  '/gather': () => new WebhookResponse()
    .gather({ actionHook: '/digits', numDigits: 4, timeout: 20, play: { url: PROMPT } }),
  '/digits': () => new OldResponse()
    .tag({ data: { step: 'digits' } }).dtmf({ dtmf: '59#', duration: 200 }).pause({ length: 1 }).hangup(),
  '/hold': () => new WebhookResponse().pause({ length: 600 }),
  '/queue': () => new WebhookResponse().enqueue({ name: 'support' }),
  '/room': () => new WebhookResponse().conference({ name: 'morning' }),
  '/dial': () => new WebhookResponse()
    .dial({ actionHook: '/dialled', confirmHook: '/confirm', timeout: 20, headers: { 'X-Leg': 'b' }, target: [{ type: 'user', name: OTHER }] })
    .play({ url: PROMPT }),
  '/confirm': () => new OldResponse().play({ url: PROMPT }),
};

// Both verifiers are middleware of Express; this is what they use of it.
const failures = (req) => {
  const out = [];
  for (const verify of [WebhookResponse.verifySignature(SECRET), OldResponse.verifyJambonzSignature(SECRET)]) {
    try {
      verify(req, {}, (e) => { if (e) throw e; });
    } catch (e) {
      out.push(e.message);
    }
  }
  return out;
};

const server = http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (c) => chunks.push(c));
  req.on('end', () => {
    const url = new URL(req.url, 'http://app');
    req.body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
    req.get = (name) => req.headers[name.toLowerCase()];
    console.log(JSON.stringify({ path: url.pathname, query: url.search, body: req.body, errors: failures(req) }));
    // The beep is where a message would be left.
    const make = url.pathname === '/amd' && req.body.type === 'amd_tone_detected' ? () => new WebhookResponse().hangup() : documents[url.pathname];
    if (!make) {
      res.writeHead(204).end();
      return;
    }
    res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(make()));
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
