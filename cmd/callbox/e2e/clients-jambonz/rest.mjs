// Uses both of the vendor's REST clients as the environment says, prints what
// they gave as one JSON object, and fails when one of them fails.
import { createRequire } from 'node:module';
import { JambonzClient } from '@jambonz/sdk/client';

const node = createRequire(import.meta.url)('@jambonz/node-client');
const { BASE, ACCOUNT, KEY, HOOK, STATUS, TO } = process.env;
const old = node(ACCOUNT, KEY, { baseUrl: BASE });
const sdk = new JambonzClient({ baseUrl: BASE, accountSid: ACCOUNT, apiKey: KEY });

const call = (hook) => ({
  from: '16175551212', to: { type: 'user', name: TO }, call_hook: hook, call_status_hook: STATUS,
  timeout: 20, timeLimit: 600, tag: { order: 17, 2: 'two' }, headers: { 'X-Order': '17' },
});
// everything is a call with all that both clients know of; a trunk is not needed here.
const site = new URL(HOOK ?? 'http://app.lan/').origin;
const everything = {
  ...call(HOOK), fromHost: 'pbx.biloxi.example', answerOnBridge: false, sipRequestWithinDialogHook: `${site}/within`,
  speech_synthesis_vendor: 'default', speech_synthesis_language: 'en-US', speech_synthesis_voice: 'Alice',
  speech_recognizer_vendor: 'default', speech_recognizer_language: 'en-US',
  amd: { actionHook: `${site}/amd`, timers: { decisionTimeoutMs: 20000 } },
};
const failure = async (promise) => {
  try {
    await promise;
    return 'no failure';
  } catch (e) {
    return String(e.message);
  }
};
const until = async (sid, status) => {
  for (let i = 0; i < 200; i++) {
    const c = await sdk.calls.get(sid);
    if (c.call_status === status) return c;
    await new Promise((r) => setTimeout(r, 100));
  }
  throw new Error(`call ${sid} is never ${status}`);
};
// some asks until the list is not empty.
const some = async (list) => {
  for (let i = 0; i < 200; i++) {
    const got = await list();
    if (got.length > 0) return got;
    await new Promise((r) => setTimeout(r, 100));
  }
  throw new Error('the list stays empty');
};

const out = {};
const scenarios = {
  // One call from its creation to its end, with each client in turn.
  async lifecycle() {
    out.sid = await old.calls.create(everything);
    out.up = await until(out.sid, 'in-progress');
    out.retrieved = await old.calls.retrieve(out.sid);
    out.listed = (await old.calls.list()).map((c) => c.call_sid);
    out.filtered = (await sdk.calls.list({ direction: 'outbound', callStatus: 'in-progress', from: '16175551212', to: TO })).map((c) => c.call_sid);
    out.others = await sdk.calls.list({ direction: 'inbound' });
    out.count = await sdk.calls.count();
    await old.calls.update(out.sid, { call_hook: `${HOOK}?redirected=1` });
    await sdk.calls.update(out.sid, { tag: { order: 18 } });
    out.tagged = (await sdk.calls.get(out.sid)).customerData;
    await old.calls.update(out.sid, { call_status: 'completed' });
    out.ended = await until(out.sid, 'completed');
    out.application = await old.applications.create({ name: 'reception', account_sid: ACCOUNT, call_hook: { url: HOOK }, call_status_hook: { url: STATUS } });
    out.applications = [await old.applications.retrieve(out.application), ...(await old.applications.list())].map((a) => a.application_sid);
    const { call_hook: _hook, call_status_hook: _status, ...bySid } = everything;
    const second = await sdk.calls.create({ ...bySid, application_sid: out.application });
    await until(second, 'in-progress');
    await sdk.calls.redirect(second, `${HOOK}?redirected=2`);
    await sdk.calls.redirect(second, `${site}/queue`);
    out.queues = await some(() => sdk.queues.list('supp'));
    out.otherQueues = await sdk.queues.list('sales');
    await sdk.calls.redirect(second, `${site}/room`);
    out.conferences = await some(() => sdk.conferences.list());
    await old.applications.delete(out.application);
    out.noApplication = await failure(old.applications.retrieve(out.application));
    await sdk.calls.delete(second);
    out.deleted = await until(second, 'completed');
    await old.calls.delete(second);
    out.forgotten = await failure(old.calls.retrieve(second));
  },
  // A machine answers, once for each client.
  async machine() {
    out.sids = [];
    for (const client of [old, sdk]) {
      const sid = await client.calls.create({ ...call(HOOK), amd: { actionHook: process.env.AMD, timers: { toneTimeoutMs: 30000 } } });
      out.sids.push(sid);
      await until(sid, 'completed');
    }
  },
  // A call that rings is given up, by each client.
  async cancel() {
    out.sids = [];
    for (const client of [old, sdk]) {
      const sid = await client.calls.create(call(HOOK));
      await until(sid, 'ringing');
      await client.calls.update(sid, { call_status: 'no-answer' });
      await until(sid, 'no-answer');
      out.sids.push(sid);
    }
  },
  // What is refused, as the clients see it.
  async refusals() {
    const stranger = new JambonzClient({ baseUrl: BASE, accountSid: ACCOUNT, apiKey: 'guess' });
    out.stranger = await failure(stranger.calls.list());
    out.unknown = await failure(sdk.calls.get('8d0f0e5c-6c2e-4b0e-9a53-0c9b7a1f2d11'));
    out.unknownUpdate = await failure(sdk.calls.redirect('8d0f0e5c-6c2e-4b0e-9a53-0c9b7a1f2d11', HOOK));
    out.invalid = await failure(sdk.calls.create({ from: '1', to: { type: 'phone' }, call_hook: HOOK }));
    out.unable = await failure(sdk.calls.create({ ...call(HOOK), dual_streams: true }));
  },
};
await scenarios[process.argv[2]]();
console.log(JSON.stringify(out));
