// Uses the vendor's REST client as the environment says, prints what it gave as
// one JSON object, and fails when it fails.
import { connect } from './vendors.mjs';

const { ACCOUNT, TOKEN, APP, PHONE, SLOW, GONE, TALK, VENDOR } = process.env;
const client = connect(ACCOUNT, TOKEN);
const from = '+14155550100';

const failure = async (promise) => {
  try {
    await promise;
    return null;
  } catch (e) {
    return { status: e.status, code: e.code, message: e.message, moreInfo: e.moreInfo };
  }
};
const until = async (sid, status) => {
  for (let i = 0; i < 300; i++) {
    const c = await client.calls(sid).fetch();
    if (c.status === status) return c;
    await new Promise((r) => setTimeout(r, 100));
  }
  throw new Error(`call ${sid} is never ${status}`);
};
const plain = (v) => JSON.parse(JSON.stringify(v));
const sids = (list) => list.map((x) => x.sid);
const all = ['initiated', 'ringing', 'answered', 'completed'];

const out = {};
const scenarios = {
  // One call from its creation to its end.
  async lifecycle() {
    const made = await client.calls.create({
      to: PHONE, from, url: `${APP}/hold`, method: 'POST', fallbackUrl: `${APP}/play`, fallbackMethod: 'GET',
      statusCallback: `${APP}/status`, statusCallbackMethod: 'POST', statusCallbackEvent: all, timeout: 30, callerId: '+14155550177',
      record: true, recordingChannels: 'dual', recordingTrack: 'both', trim: 'do-not-trim',
      recordingStatusCallback: `${APP}/recording`, recordingStatusCallbackMethod: 'POST', recordingStatusCallbackEvent: ['in-progress', 'completed'],
      machineDetectionTimeout: 20, machineDetectionSpeechThreshold: 2000, machineDetectionSpeechEndThreshold: 1000,
      machineDetectionSilenceTimeout: 4000, sipAuthUsername: 'box', sipAuthPassword: 's3cret9',
      machineDetection: 'Enable', asyncAmd: 'true', asyncAmdStatusCallback: `${APP}/amd`, asyncAmdStatusCallbackMethod: 'POST',
      timeLimit: 600, callReason: 'a test', byoc: `BY${'0'.repeat(32)}`,
      ...(VENDOR === 'twilio' ? { clientNotificationUrl: `${APP}/client`, recordingConfigurationId: 'none', passports: 'none' } : {}),
    });
    out.made = plain(made);
    out.up = plain(await until(made.sid, 'in-progress'));
    out.redirected = plain(await client.calls(made.sid).update({ url: `${APP}/hold?redirected=1`, method: 'GET' }));
    out.live = await failure(client.calls(made.sid).remove());
    await new Promise((r) => setTimeout(r, Number(TALK))); // what the phone says is recorded
    out.completed = plain(await client.calls(made.sid).update({ status: 'completed' }));
    out.ended = plain(await until(made.sid, 'completed'));
    out.late = await failure(client.calls(made.sid).update({ url: `${APP}/hold` }));
  },
  // A call that rings is cancelled.
  async cancel() {
    const made = await client.calls.create({ to: SLOW, from, url: `${APP}/hold`, statusCallback: `${APP}/cancelled`, statusCallbackEvent: all });
    await until(made.sid, 'ringing');
    out.update = plain(await client.calls(made.sid).update({ status: 'canceled' }));
    out.sid = made.sid;
    out.ended = plain(await until(made.sid, 'canceled'));
    // The other two ways to say what happens with a call.
    const application = await client.applications.create({ friendlyName: 'reception', voiceUrl: `${APP}/hold` });
    for (const way of [{ applicationSid: application.sid }, { twiml: '<Response><Pause length="1"/></Response>' }]) {
      const { sid } = await client.calls.create({ to: SLOW, from, sendDigits: 'w1', ...way });
      await until(sid, 'ringing');
      await client.calls(sid).update({ status: 'canceled' });
      await until(sid, 'canceled');
    }
    await client.applications(application.sid).remove();
  },
  // Seven calls are found again, page by page.
  async lists() {
    out.made = [];
    for (let i = 0; i < 7; i++) {
      out.made.unshift((await client.calls.create({ to: i % 2 ? GONE : `${GONE}1`, from, url: `${APP}/short` })).sid);
    }
    for (const sid of out.made) await until(sid, 'failed');
    out.all = sids(await client.calls.list());
    out.paged = sids(await client.calls.list({ pageSize: 3 }));
    out.five = sids(await client.calls.list({ pageSize: 2, limit: 5 }));
    out.failed = sids(await client.calls.list({ status: 'failed', pageSize: 2 }));
    out.busy = sids(await client.calls.list({ status: 'busy' }));
    out.number = sids(await client.calls.list({ to: GONE }));
    const day = 24 * 3600 * 1000;
    out.today = sids(await client.calls.list({ startTimeAfter: new Date(Date.now() - day), pageSize: 4 }));
    out.yesterday = sids(await client.calls.list({ startTimeBefore: new Date(Date.now() - day) }));
    const first = await client.calls.page({ pageSize: 3 });
    const second = await first.nextPage();
    out.second = sids(second.instances);
    out.back = sids((await second.previousPage()).instances);
    out.each = [];
    await new Promise((done, fail) => {
      client.calls.each({ pageSize: 2, done: (e) => (e ? fail(e) : done()) }, (c) => out.each.push(c.sid));
    });
    out.removed = await client.calls(out.made[0]).remove();
    out.gone = await failure(client.calls(out.made[0]).fetch());
    out.left = sids(await client.calls.list());
  },
  // Recordings of the calls that were made before.
  async recordings() {
    for (let i = 0; i < 100; i++) {
      out.all = plain(await client.recordings.list({ pageSize: 1 }));
      if (out.all.length >= 2 && out.all.every((r) => r.status === 'completed')) break;
      await new Promise((r) => setTimeout(r, 100));
    }
    const { sid, callSid } = out.all[0];
    out.fetched = plain(await client.recordings(sid).fetch());
    out.byFilter = sids(await client.recordings.list({ callSid }));
    out.byCall = sids(await client.calls(callSid).recordings.list());
    out.ofCall = plain(await client.calls(callSid).recordings(sid).fetch());
    const key = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`;
    const sound = await fetch(out.fetched.mediaUrl ?? `${client.api.baseUrl}${out.fetched.uri.replace('.json', '.wav')}`, { headers: { Authorization: key } });
    out.sound = { status: sound.status, type: sound.headers.get('content-type'), wav: Buffer.from(await sound.arrayBuffer()).toString('base64') };
    out.removed = await client.recordings(sid).remove();
    out.gone = await failure(client.recordings(sid).fetch());
    out.left = sids(await client.recordings.list());
  },
  // A machine answers twice: the script waits for the verdict, then runs beside it.
  async machine() {
    const detect = {
      to: PHONE, from, machineDetection: 'DetectMessageEnd', machineDetectionTimeout: 40,
      statusCallback: `${APP}/status`, statusCallbackEvent: all,
    };
    const waiting = await client.calls.create({ ...detect, url: `${APP}/short` });
    out.waiting = plain(await until(waiting.sid, 'completed'));
    const beside = await client.calls.create({
      ...detect, url: `${APP}/hold`, asyncAmd: 'true', asyncAmdStatusCallback: `${APP}/amd`, asyncAmdStatusCallbackMethod: 'POST',
    });
    await until(beside.sid, 'in-progress');
    await new Promise((r) => setTimeout(r, Number(TALK))); // what the machine says
    out.beside = plain(await client.calls(beside.sid).fetch());
    out.sids = sids([waiting, beside]);
    await client.calls(beside.sid).update({ status: 'completed' });
    await until(beside.sid, 'completed');
  },
  // A text message over a SIM of the box.
  async messages() {
    const { SIM, FAR, TEXT } = process.env;
    const made = await client.messages.create({ to: FAR, from: SIM, body: TEXT, statusCallback: `${APP}/text` });
    out.made = plain(made);
    for (let i = 0; i < 300 && out.done?.status !== 'delivered'; i++) {
      await new Promise((r) => setTimeout(r, 100));
      out.done = plain(await client.messages(made.sid).fetch());
    }
    out.found = sids(await client.messages.list({ to: FAR, pageSize: 1, limit: 2 }));
    out.refused = await failure(client.messages.create({ to: FAR, from: '+14155550123', body: TEXT }));
    out.removed = await client.messages(made.sid).remove();
    out.gone = await failure(client.messages(made.sid).fetch());
  },
  // What is refused, as the client sees it.
  async refusals() {
    const other = connect(ACCOUNT, '0'.repeat(32));
    out.stranger = await failure(other.calls.list());
    out.unknown = await failure(client.calls(VENDOR === 'twilio' ? `CA${'0'.repeat(32)}` : '8d0f0e5c-6c2e-4b0e-9a53-0c9b7a1f2d11').fetch());
    out.to = await failure(client.calls.create({ to: 'sip:', from, url: `${APP}/hold` }));
    out.method = await failure(client.calls.create({ to: PHONE, from, url: `${APP}/hold`, method: 'PATCH' }));
    out.url = await failure(client.calls.create({ to: PHONE, from, url: 'hold' }));
    out.timeout = await failure(client.calls.create({ to: PHONE, from, url: `${APP}/hold`, timeout: 601 }));
    out.application = await failure(client.calls.create({ to: PHONE, from, applicationSid: VENDOR === 'twilio' ? `AP${'0'.repeat(32)}` : '8d0f0e5c-6c2e-4b0e-9a53-0c9b7a1f2d11' }));
  },
};
for (const name of process.argv.slice(2)) await scenarios[name]();
console.log(JSON.stringify(out));
