// Everything that came over the wire is shown with textContent: no markup is ever made of it.
const rowsMax = 500;
const form = document.getElementById('watch');
const stop = document.getElementById('stop');
const state = document.getElementById('state');
const list = document.getElementById('events');
let source = null;
let ended = false;

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
  const { executions } = JSON.parse(message.data);
  show('live', `Watching ${executions.length} execution${executions.length === 1 ? '' : 's'}.`);
}

function onGap(message) {
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
  if (source.readyState === EventSource.CLOSED) close('Not available. Is the id or tag known?', 'failed');
  else show('waiting', 'Connection lost; trying again.');
}

function close(text, kind = 'idle') {
  source?.close();
  source = null;
  stop.disabled = true;
  show(kind, text);
}

form.addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  close('Connecting.');
  list.replaceChildren();
  ended = false;
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== '') query.set(name, value);
  source = new EventSource(`/api/v1/storage/events?${query}`);
  source.addEventListener('storage.object.created', onStorageEvent);
  source.addEventListener('ready', onReady);
  source.addEventListener('gap', onGap);
  source.addEventListener('done', onDone);
  source.addEventListener('error', onError);
  stop.disabled = false;
});

stop.addEventListener('click', () => close('Stopped.'));
