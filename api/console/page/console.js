'use strict';

// Everything that is shown comes from calls, so from strangers: it is text, never HTML.
const element = (name, text, ...classes) => {
  const e = document.createElement(name);
  e.textContent = text ?? '';
  e.classList.add(...classes.filter(Boolean));
  return e;
};

const byId = (id) => document.getElementById(id);
const up = (call) => !call.ended;
const failed = (call) => ['busy', 'failed', 'no-answer', 'canceled'].includes(call.state);
const filters = {
  '': () => true,
  up,
  failed,
  warned: (call) => (call.warnings ?? []).length > 0,
};

const clock = (seconds) => {
  const s = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, '0');
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
};

const began = (call) => {
  const at = new Date(call.created);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString() : at.toLocaleString();
};

const lineRow = (line) => {
  const row = element('tr');
  row.append(element('td', line.id, 'short'), element('td', line.kind, 'short'),
    element('td', line.max ? `${line.busy} of ${line.max}` : String(line.busy), 'short'),
    element('td', line.text, line.ready ? 'good' : 'bad'));
  return row;
};

const callRow = (call) => {
  const row = element('tr', '', call.parent && 'child');
  row.dataset.call = call.id;
  const begun = element('td', began(call), 'short');
  begun.append(element('small', call.id));
  const end = element('td', call.cause);
  if (call.answered_by) end.append(element('small', `answered by ${call.answered_by}${call.why ? ': ' + call.why : ''}`));
  if (call.route) end.append(element('small', call.route));
  if (call.recordings) end.append(element('small', call.recordings === 1 ? '1 recording' : `${call.recordings} recordings`));
  if ((call.warnings ?? []).length) {
    const list = element('ul');
    for (const w of call.warnings) list.append(element('li', w, 'warning'));
    end.append(list);
  }
  row.append(begun, element('td', call.from, 'short'), element('td', call.to, 'short'), element('td', call.line, 'short'),
    element('td', call.state, 'short', up(call) ? 'good' : failed(call) && 'bad'), element('td', clock(call.seconds), 'short'),
    element('td', call.mos ? call.mos.toFixed(1) : '', 'short'), end);
  return row;
};

let state;

const show = () => {
  if (!state) return;
  const live = state.calls.filter(up).length;
  const down = state.lines.filter((l) => !l.ready).length;
  byId('summary').textContent = `${live === 1 ? '1 call' : live + ' calls'} up, ` +
    `${state.lines.length} lines${down ? ', ' + down + ' of them not ready' : ''} · account ${state.account} · version ${state.version}`;
  byId('lines').replaceChildren(...state.lines.map(lineRow));
  const calls = state.calls.filter(filters[byId('which').value]);
  byId('calls').replaceChildren(...calls.map(callRow));
  byId('none').hidden = calls.length > 0;
};

const look = async () => {
  if (document.hidden) return;
  try {
    // Not relative to the page: its address may hold name and password.
    const answer = await fetch(location.origin + '/console/state.json');
    if (!answer.ok) throw new Error((await answer.text()).trim());
    state = await answer.json();
    byId('trouble').textContent = '';
    show();
  } catch (err) {
    byId('trouble').textContent = `The box does not answer: ${err.message}`;
  }
};

byId('which').addEventListener('change', show);
document.addEventListener('visibilitychange', look);
// One question after the other, however slow the box is.
const watch = async () => {
  await look();
  setTimeout(watch, 2000);
};
watch();
