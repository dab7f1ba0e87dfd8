import { type GatewayConfig, routeName } from '../config.ts';

/** What is different in another configuration, by place; values, which may be secret, are not told. */
export function changesBetween(before: GatewayConfig, after: GatewayConfig): string[] {
  const [old, present] = [placesOf(before), placesOf(after)];
  const places = new Set([...old.keys(), ...present.keys()]);
  return [...places].filter((place) => old.get(place) !== present.get(place)).sort();
}

/** The text of each upstream, auth and route, by name, and of everything else. */
function placesOf({ upstreams, auth = {}, routes, ...rest }: GatewayConfig): Map<string, string> {
  const named = (group: string, all: readonly (readonly [string, unknown])[]): [string, string][] =>
    all.map(([name, value]) => [`${group}.${name}`, JSON.stringify(value)]);
  return new Map([
    ...named('upstreams', Object.entries(upstreams)),
    ...named('auth', Object.entries(auth)),
    ...named(
      'routes',
      routes.map((route, i) => [routeName(route, i), route]),
    ),
    ...Object.entries(rest).map(([place, value]): [string, string] => [place, JSON.stringify(value)]),
  ]);
}
