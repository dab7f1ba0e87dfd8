// The page: listens to frames, keeps the last minute, draws. Everything that it needs is below its own path.
import { ago, drawLine, drawTimeline, element, format, reconcile, svg, words, write } from './draw.js';

const rank = { bad: 0, warn: 1, ok: 2 };
const levelName = { bad: 'red', warn: 'amber', ok: 'green' };
const token = document.querySelector('meta[name="weir-token"]').content;
const byId = (id) => document.getElementById(id);
const notice = byId('notice');

/** The last minute of each component, by kind and name. */
const history = new Map();
const keyOf = ({ kind, name }) => `${kind}-${name}`;

/** What is counted for the line and the headline of a kind: a counter or several, and which of its labels. */
const counters = {
  limiter: ['weir_rate_limit_decisions_total', { 'a second': {}, refused: { outcome: 'refused' } }],
  pool: ['weir_load_balancer_requests_total', { 'a second': {}, failed: { outcome: 'failure' } }],
  breaker: ['weir_circuit_breaker_calls_total', { 'a second': {}, failed: { result: 'failure' } }],
  breakers: ['weir_circuit_breaker_calls_total', { 'a second': {}, failed: { result: 'failure' } }],
  cache: [
    // Of values, and of responses.
    ['weir_cache_requests_total', 'weir_cache_http_requests_total'],
    { 'a second': {}, hits: { result: 'hit' }, missed: { result: 'miss' } },
  ],
  proxy: ['weir_proxy_requests_total', { 'a second': {}, failed: { result: 'failed' } }],
  route: [
    'weir_gateway_requests_total',
    { 'a second': {}, failed: { outcome: 'error' }, refused: { outcome: 'rejected' } },
  ],
  redis: ['weir_redis_commands_total', { 'a second': {}, failed: { outcome: 'failed' } }],
};

const total = (samples, names, labels) =>
  samples
    .filter((sample) => [names].flat().includes(sample.name))
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, sample) => sum + sample.value, 0);

/** Adds a frame to the past, with the rates since the one before. */
function remember(frame) {
  const present = new Set();
  for (const component of frame.components) {
    const key = keyOf(component);
    present.add(key);
    const [names, parts = {}] = counters[component.kind] ?? [];
    const totals = Object.fromEntries(
      Object.entries(parts).map(([part, labels]) => [part, total(component.samples, names, labels)]),
    );
    const past = history.get(key) ?? [];
    const before = past.at(-1);
    const seconds = before === undefined ? 0 : (frame.at - before.at) / 1000;
    const rates = Object.fromEntries(
      Object.entries(totals).map(([part, value]) => {
        const rate = seconds > 0 ? (value - before.totals[part]) / seconds : 0;
        return [part, Math.max(0, rate)];
      }),
    );
    history.set(key, [...past, { at: frame.at, level: component.level, totals, rates }].slice(-60));
  }
  for (const key of history.keys()) if (!present.has(key)) history.delete(key);
}

function draw(frame) {
  const worst = [...frame.components].sort(
    (a, b) => rank[a.level] - rank[b.level] || a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name),
  );
  const count = (level) => worst.filter((component) => component.level === level).length;
  const red = worst.filter(({ level }) => level === 'bad').map(({ kind, name }) => `${kind} ${name}`);
  const amber = count('warn') === 0 ? 'All green' : `${count('warn')} amber, the rest green`;
  write(byId('summary'), red.length > 0 ? `${red.length} red: ${red.join(', ')}` : amber);
  document.title = red.length > 0 ? `(${red.length}) Weir` : 'Weir';
  write(byId('clock'), new Date(frame.at).toLocaleTimeString());
  reconcile(byId('tiles'), worst, keyOf, makeTile, (tile, component) =>
    updateTile(tile, component, frame.at),
  );
  const kinds = [...new Set(frame.components.map(({ kind }) => kind))].sort();
  reconcile(
    byId('groups'),
    kinds,
    (kind) => kind,
    makeGroup,
    (group, kind) => {
      const members = frame.components.filter((component) => component.kind === kind);
      reconcile(group.list, members, keyOf, makeArticle, (article, component) =>
        updateArticle(article, component, frame.at),
      );
    },
  );
  drawEvents(frame.events);
}

const headlineOf = (component) => {
  const last = history.get(keyOf(component))?.at(-1);
  return Object.entries(last?.rates ?? {})
    .map(([part, rate]) => `${format(Number(rate.toFixed(1)))} ${part}`)
    .join(' · ');
};
const sinceOf = ({ since, level }, now) => `${levelName[level]} for ${ago(now - since)}`;

function makeTile(component) {
  const parts = {
    name: element('strong', { text: component.name }),
    why: element('span', { class: 'why' }),
    kind: element('span', { class: 'kind', text: component.kind }),
    since: element('span', { class: 'since' }),
    headline: element('span', { class: 'headline' }),
    line: svg('svg', {
      class: 'spark',
      viewBox: '0 0 60 20',
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    }),
  };
  const link = element('a', { href: `#${keyOf(component)}` }, [
    ...[parts.name, parts.why, parts.kind, parts.since, parts.headline],
    ...(counters[component.kind] === undefined ? [] : [parts.line]),
  ]);
  return Object.assign(element('li', {}, [link]), { link, parts });
}

function updateTile({ link, parts }, component, now) {
  link.className = `tile ${component.level}`;
  write(parts.why, component.why || 'ok');
  write(parts.since, sinceOf(component, now));
  write(parts.headline, headlineOf(component));
  const past = history.get(keyOf(component)) ?? [];
  drawLine(
    parts.line,
    past.map(({ rates }) => rates['a second'] ?? 0),
  );
}

const plurals = {
  limiter: 'Limiters',
  pool: 'Pools',
  breaker: 'Breakers',
  cache: 'Caches',
  topology: 'Rings',
  proxy: 'Proxies',
  route: 'Routes',
};

function makeGroup(kind) {
  const list = element('div');
  const title = element('h2', {
    text: plurals[kind] ?? words(kind.replaceAll('-', ' ')),
    id: `kind-${kind}`,
  });
  const group = element('section', { 'aria-labelledby': `kind-${kind}` }, [title, list]);
  return Object.assign(group, { list });
}

function makeArticle(component) {
  const parts = {
    why: element('span', { class: 'why' }),
    since: element('span', { class: 'since' }),
    headline: element('span', { class: 'headline' }),
    timeline: svg('svg', {
      class: 'timeline',
      viewBox: '0 0 60 10',
      preserveAspectRatio: 'none',
      role: 'img',
    }),
    facts: element('dl'),
    tables: element('div'),
    numbers: element('tbody'),
  };
  const title = element('div', { class: 'title' }, [
    element('h3', { text: component.name }),
    ...[parts.why, parts.since, parts.headline],
  ]);
  const head = ['metric', 'labels', 'value'].map((text) => element('th', { text, scope: 'col' }));
  const metrics = element('details', {}, [
    element('summary', { text: 'Metrics' }),
    element('div', { class: 'table' }, [
      element('table', {}, [element('thead', {}, [element('tr', {}, head)]), parts.numbers]),
    ]),
  ]);
  const article = element('article', { id: keyOf(component) }, [
    ...[title, parts.timeline, parts.facts, parts.tables],
    ...(component.actions.length > 0 ? [actionsOf(component)] : []),
    metrics,
  ]);
  return Object.assign(article, { parts });
}

function updateArticle(article, component, now) {
  const { parts } = article;
  article.className = component.level;
  write(parts.why, component.why || 'ok');
  write(parts.since, sinceOf(component, now));
  write(parts.headline, headlineOf(component));
  const levels = (history.get(keyOf(component)) ?? []).map(({ level }) => level);
  drawTimeline(parts.timeline, levels);
  parts.timeline.setAttribute(
    'aria-label',
    `The last ${levels.length} seconds, now ${levelName[component.level]}`,
  );
  const entries = Object.entries(component.state);
  const lists = entries.filter(([, value]) => isTable(value));
  const facts = entries.filter(([, value]) => !isTable(value));
  reconcile(
    parts.facts,
    facts,
    ([name]) => name,
    ([name]) => {
      const value = element('dd');
      return Object.assign(element('div', {}, [element('dt', { text: words(name) }), value]), { value });
    },
    ({ value }, [, fact]) => write(value, plain(fact)),
  );
  reconcile(
    parts.tables,
    lists,
    ([name]) => name,
    makeTable,
    (table, [, rows]) => updateTable(table, rows, component),
  );
  reconcile(
    parts.numbers,
    component.samples,
    ({ name, labels }) => `${name}${JSON.stringify(labels)}`,
    ({ name, labels }) => {
      const value = element('td');
      const said = Object.entries(labels)
        .map((pair) => pair.join('='))
        .join(' ');
      return Object.assign(
        element('tr', {}, [element('td', { text: name }), element('td', { text: said }), value]),
        { value },
      );
    },
    ({ value }, sample) => write(value, format(sample.value)),
  );
}

const isTable = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((row) => typeof row === 'object' && row !== null);

function plain(value) {
  if (Array.isArray(value)) return value.map(format).join(', ') || '–';
  if (typeof value === 'object' && value !== null) {
    const parts = Object.entries(value).map(([name, each]) => `${words(name)} ${format(each)}`);
    return parts.join(', ') || '–';
  }
  return format(value);
}

function makeTable([name]) {
  const head = element('tr');
  const body = element('tbody');
  const table = element('table', {}, [
    element('caption', { text: words(name) }),
    element('thead', {}, [head]),
    body,
  ]);
  return Object.assign(element('div', { class: 'table' }, [table]), { head, body });
}

function updateTable({ head, body }, rows, component) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) =>
    rows.some((row) => row[name] !== null && row[name] !== undefined),
  );
  const rowActions =
    component.kind === 'pool' ? component.actions.filter((action) => action !== 'setWeight') : [];
  reconcile(
    head,
    [...columns, ...(rowActions.length > 0 ? ['actions'] : [])],
    (name) => name,
    (name) => element('th', { text: words(name), scope: 'col' }),
    () => {},
  );
  reconcile(
    body,
    rows,
    (row) => row.url ?? row.id ?? JSON.stringify(row),
    () => element('tr'),
    (line, row) => {
      line.className =
        row.state === undefined ? '' : row.state === 'up' ? 'ok' : row.state === 'draining' ? 'warn' : 'bad';
      reconcile(
        line,
        [...columns, ...(rowActions.length > 0 ? ['actions'] : [])],
        (name) => name,
        (name) => {
          const cell = element('td', name === 'state' ? { class: 'why' } : {});
          if (name === 'share')
            cell.append(
              svg('svg', { class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none' }, [
                svg('rect', { height: 10 }),
              ]),
            );
          if (name === 'actions')
            for (const action of rowActions) cell.append(button(component, action, () => row.url));
          return cell;
        },
        (cell, name) => {
          if (name === 'share') cell.querySelector('rect').setAttribute('width', String(100 * row.share));
          else if (name !== 'actions') write(cell, plain(row[name]));
        },
      );
    },
  );
}

/** What an action may be given; a JSON object is passed on as one. */
const examples = {
  cache: '{"tag": "news"}',
  limiter: 'key',
  pool: '{"url": "http://10.0.0.7:8080", "weight": 2}',
};

function actionsOf(component) {
  const own =
    component.kind === 'pool'
      ? component.actions.filter((action) => action === 'setWeight')
      : component.actions;
  if (own.length === 0) return element('div');
  const takesNone = component.kind === 'breaker';
  const input = element('input', {
    'aria-label': `argument for ${component.name}`,
    placeholder: examples[component.kind] ?? 'argument',
  });
  return element('div', { class: 'actions', role: 'group', 'aria-label': `actions for ${component.name}` }, [
    ...own.map((action) => button(component, action, () => (takesNone ? '' : input.value))),
    ...(takesNone ? [] : [input]),
  ]);
}

function button({ kind, name }, action, argumentOf) {
  const made = element('button', { type: 'button', text: words(action) });
  made.addEventListener('click', async () => {
    const argument = argumentOf();
    const query = new URLSearchParams({ kind, name, action, ...(argument ? { argument } : {}) });
    try {
      const response = await fetch(`actions?${query}`, {
        method: 'POST',
        headers: { 'x-weir-token': token },
      });
      if (response.ok) say(`${name}: ${words(action)} done`);
      else say(`${name}: ${(await response.json()).detail ?? response.statusText}`);
    } catch (error) {
      say(`${name}: ${error.message}`);
    }
  });
  return made;
}

let hiding;
function say(text) {
  notice.hidden = false;
  write(notice, text);
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    notice.hidden = true;
  }, 6_000);
}

function drawEvents(events) {
  const newest = [...events].reverse();
  byId('no-events').hidden = newest.length > 0;
  reconcile(
    byId('events'),
    newest,
    ({ since, what, details }) => `${since}${what}${JSON.stringify(details)}`,
    ({ at, what, details }) => {
      const time = element('time', {
        datetime: new Date(at).toISOString(),
        text: new Date(at).toLocaleTimeString(),
      });
      const said = Object.entries(details).map(([name, value]) => `${words(name)} ${format(value)}`);
      const times = element('span');
      return Object.assign(
        element('li', {}, [
          time,
          element('strong', { text: what }),
          element('span', { text: said.join(', ') }),
          times,
        ]),
        { times },
      );
    },
    (line, { times, since }) =>
      write(line.times, times > 1 ? `${times} times since ${new Date(since).toLocaleTimeString()}` : ''),
  );
}

const source = new EventSource('events');
source.addEventListener('message', ({ data }) => {
  const frame = JSON.parse(data);
  remember(frame);
  draw(frame);
});
source.addEventListener('error', () =>
  write(byId('summary'), 'No connection: showing what was last seen. Trying again…'),
);
