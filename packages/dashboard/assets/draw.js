// Small pieces of the page. Text goes in as text, never as markup: names come from configurations and errors.

const svgNamespace = 'http://www.w3.org/2000/svg';

/** An element with classes, attributes and children. */
export function element(tag, { text, ...attributes } = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

export function svg(tag, attributes = {}, children = []) {
  const made = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Changes text only where it differs, so that a screen reader and a selection are left in peace. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes the children of `parent` those of `items`, each made once and kept by its key. */
export function reconcile(parent, items, keyOf, make, update) {
  parent.kept ??= new Map();
  const left = new Map(parent.kept);
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = left.get(key);
    left.delete(key);
    if (child === undefined) {
      child = make(item);
      parent.kept.set(key, child);
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    // Moving an element takes the keyboard's focus from it, so only what is out of place moves.
    else parent.insertBefore(child, place);
  }
  for (const [key, child] of left) {
    child.remove();
    parent.kept.delete(key);
  }
}

/** A line through values, drawn into an svg of 60 by 20. */
export function drawLine(target, values) {
  const top = Math.max(...values, 1e-9);
  const points = values.map((value, i) => {
    const x = 60 - (values.length - 1 - i);
    return `${x},${(19 - (value / top) * 18).toFixed(2)}`;
  });
  let line = target.firstElementChild;
  if (line === null) target.append((line = svg('polyline')));
  line.setAttribute('points', points.join(' '));
}

/** A strip of cells, one for each moment, coloured by level. */
export function drawTimeline(target, levels) {
  const cells = levels.map((level, i) =>
    svg('rect', { x: 60 - levels.length + i, y: 0, width: 1.02, height: 10, class: level }),
  );
  target.replaceChildren(...cells);
}

/** A number as a person reads it. */
export function format(value) {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value)) return value.toLocaleString('en');
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Number(value.toPrecision(3)).toString();
}

/** 'retryAfterMs' as 'retry after', 'requests_total' as 'requests total'. */
export function words(name) {
  return name
    .replace(/Ms$/, ' (ms)')
    .replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`)
    .replaceAll('_', ' ');
}

/** A span of time in its largest unit. */
export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
