// Everything that came over the wire is shown with textContent: no markup is ever made of it.
const rowsMax = 500;
const form = document.getElementById('watch');
const stop = document.getElementById('stop');
const state = document.getElementById('state');
const list = document.getElementById('events');
// A browser closes an EventSource for good when a reconnection is answered by anything but 200: a 502 of a proxy during a restart, say.
// Then this page opens a new one behind the last id. It stops trying after so many answers in a row without a stream.
const reopensMax = 8;
const reopenMs = { least: 1000, most: 15_000 };
let source = null;
let ended = false;
let query = null;
let opened = false;
let lastId = '';
let reopens = 0;
let reopening = null;

function show(kind, text) {
  state.dataset.state = kind;
  state.textContent = text;
}

function part(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function row(...parts) {
  const item = document.createElement('li');
  item.append(...parts);
  list.prepend(item);
  while (list.childElementCount > rowsMax) list.lastElementChild.remove();
}

function onStorageEvent(message) {
  lastId = message.lastEventId;
  const event = JSON.parse(message.data);
  const size = event.size === undefined ? '' : `${event.size.toLocaleString()} bytes`;
  row(
    part('span', 'path', event.path),
    part('time', '', new Date(event.time).toLocaleTimeString()),
    part('span', 'where', `${event.stage} · ${event.execution_id}`),
    part('span', 'size', size),
  );
}

function onReady(message) {
  opened = true;
  reopens = 0;
  // Without an id when a gap follows, which carries it.
  if (message.lastEventId !== '') lastId = message.lastEventId;
  const { executions } = JSON.parse(message.data);
  show('live', `Watching ${executions.length} execution${executions.length === 1 ? '' : 's'}.`);
}

function onGap(message) {
  lastId = message.lastEventId;
  row(part('span', 'note', `Events may be missing here (${JSON.parse(message.data).reason}).`));
}

function onDone(message) {
  const { reason, executions } = JSON.parse(message.data);
  if (reason === 'executions_terminal') {
    ended = true;
    close(`Finished: ${executions.map((execution) => execution.status).join(', ')}.`);
  }
}

function onError() {
  if (ended || source === null) return;
  const closed = source.readyState === EventSource.CLOSED;
  if (closed && !(opened && reopens < reopensMax)) {
    close('Not available. Is the id or tag known?', 'failed');
    return;
  }
  show('waiting', 'Connection lost; trying again.');
  if (!closed) return;
  const waitMs = Math.min(reopenMs.most, reopenMs.least * 2 ** reopens);
  reopens += 1;
  reopening = setTimeout(open, waitMs * (0.5 + Math.random() / 2));
}

function open() {
  const resumed = new URLSearchParams(query);
  if (lastId !== '') resumed.set('last_event_id', lastId);
  source = new EventSource(`/api/v1/storage/events?${resumed}`);
  source.addEventListener('storage.object.created', onStorageEvent);
  source.addEventListener('ready', onReady);
  source.addEventListener('gap', onGap);
  source.addEventListener('done', onDone);
  source.addEventListener('error', onError);
}

function close(text, kind = 'idle') {
  source?.close();
  clearTimeout(reopening);
  source = null;
  stop.disabled = true;
  show(kind, text);
}

form.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  close('Connecting.');
  list.replaceChildren();
  ended = false;
  opened = false;
  lastId = '';
  reopens = 0;
  query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== '') query.set(name, value);
  open();
  stop.disabled = false;
});

stop.addEventListener('click', () => close('Stopped.'));
