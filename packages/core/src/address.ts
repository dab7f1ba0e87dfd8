/**
 * The group that an address is counted in: an IPv4 address stands for itself, an IPv6 address for its network,
 * because one customer is handed at least a /64 and can walk through all of it.
 *
 * @param ip an address in canonical form, as `Exchange.ip` gives it. Anything else comes back unchanged.
 * @param prefix length of the IPv6 network in bits, 1 to 128; RFC 6177 gives sites a /48 to a /64
 *
 * @example
 * addressGroup('2001:db8:1:2:a:b:c:d'); // '2001:db8:1:2::/64'
 */
export function addressGroup(ip: string, prefix = 64): string {
  if (ip.indexOf(':') === -1 || prefix >= 128) return ip;
  const groups = expand(ip);
  if (groups === undefined) return ip;
  const whole = prefix >> 4;
  const kept = groups.slice(0, whole);
  const bits = prefix & 15;
  if (bits > 0) kept.push(groups[whole]! & (0xffff << (16 - bits)));
  let last = kept.length;
  while (last > 0 && kept[last - 1] === 0) last -= 1;
  const text = kept.slice(0, last).map((group) => group.toString(16));
  return `${text.join(':')}::/${prefix}`;
}

/** The eight 16-bit groups of an IPv6 address, or undefined if it is none. */
function expand(ip: string): number[] | undefined {
  const halves = ip.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = tail === undefined ? head : [...head, ...new Array<string>(missing).fill('0'), ...tail];
  const numbers = groups.map((group) =>
    /^[0-9a-f]{1,4}$/i.test(group) ? Number.parseInt(group, 16) : Number.NaN,
  );
  return numbers.some(Number.isNaN) ? undefined : numbers;
}
