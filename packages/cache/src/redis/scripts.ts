import { type Script, script } from '@weir/redis';

/**
 * Numbers of the sequence are microseconds of the server's clock, but each is larger than the one before: so they go on
 * rising even if Redis forgets the last one.
 */
const prelude = `
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local function int(n) return string.format('%.0f', n) end
local function number(key) return tonumber(redis.call('GET', key) or '0') end
local function last(key) return tonumber(redis.call('GET', key) or int(us - 1)) end
local function advance(key, remember)
  local n = math.max(number(key) + 1, us)
  redis.call('SET', key, int(n), 'PX', int(remember))
  return n
end
-- Ends a lock. Who waits for it is told.
local function unlock(key, channel, name)
  if redis.call('DEL', key) == 1 then redis.call('PUBLISH', channel, name) end
end
`;

/**
 * KEYS: sequence, entry, lock. ARGV: number and time of the entry that was seen, or ''; token; ms.
 * Answers [stamp, 1 if the lock was taken], or false if the entry is not the one that was seen.
 */
export const takeLock: Script = /* @__PURE__ */ script(
  `${prelude}
local entry = redis.call('GET', KEYS[2])
local seen = entry and string.match(entry, '^%S+ %S+ (%d+ %d+) ') or ''
if seen ~= ARGV[1] then return false end
local taken = redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PX', ARGV[3])
return {int(last(KEYS[1])), taken and 1 or 0}
`,
  { keys: 3 },
);

/**
 * KEYS: sequence, number of the last clear, when the last entry ends, entry, number of the key, lock, number of each
 * tag. ARGV: stamp or '', token or '', how long numbers are remembered, channel, name, envelope, ttl, grace, duration of
 * the load, tags, value. Answers 1, or 0 if the stamp was overtaken.
 */
export const writeEntry: Script = /* @__PURE__ */ script(
  `${prelude}
local stamp, token, remember = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
if token ~= '' and redis.call('GET', KEYS[6]) == token then unlock(KEYS[6], ARGV[4], ARGV[5]) end
if stamp then
  local overtaken = math.max(number(KEYS[2]), number(KEYS[5]))
  for i = 7, #KEYS do overtaken = math.max(overtaken, number(KEYS[i])) end
  if overtaken > stamp then return 0 end
else
  stamp = advance(KEYS[1], remember)
  redis.call('SET', KEYS[5], int(stamp), 'PX', int(remember))
end
local life = math.max(1, tonumber(ARGV[7]) + tonumber(ARGV[8]))
local header = table.concat({ARGV[6], int(stamp), int(now), ARGV[7], ARGV[8], ARGV[9]}, ' ')
redis.call('SET', KEYS[4], header .. '\\n' .. ARGV[10] .. '\\n' .. ARGV[11], 'PX', int(life))
if number(KEYS[3]) < now + life then redis.call('SET', KEYS[3], int(now + life), 'PX', int(life)) end
return 1
`,
  { keys: 'any' },
);

/**
 * KEYS: sequence, then of each key its entry, its number, its lock. ARGV: 1 to delete or 0 to expire, how long numbers
 * are remembered, channel, then the name of each key.
 */
export const invalidateKeys: Script = /* @__PURE__ */ script(
  `${prelude}
local remember = tonumber(ARGV[2])
local n = int(advance(KEYS[1], remember))
for i = 1, (#KEYS - 1) / 3 do
  local entry, key, lock = KEYS[3 * i - 1], KEYS[3 * i], KEYS[3 * i + 1]
  redis.call('SET', key, n, 'PX', int(remember))
  unlock(lock, ARGV[3], ARGV[3 + i])
  local held = ARGV[1] == '0' and redis.call('GET', entry)
  local envelope, written, ttl, grace, rest
  if held then
    envelope, written, ttl, grace, rest = string.match(held, '^(%S+ %S+) %d+ (%d+) (%d+) (%d+) (.*)$')
  end
  if rest and tonumber(grace) > 0 then
    ttl = math.max(0, math.min(tonumber(ttl), now - tonumber(written)))
    local header = table.concat({envelope, n, written, int(ttl), grace}, ' ')
    local left = math.max(1, math.min(redis.call('PTTL', entry), tonumber(grace)))
    redis.call('SET', entry, header .. ' ' .. rest, 'PX', int(left))
  else
    redis.call('DEL', entry)
  end
end
return 1
`,
  { keys: 'any', idempotent: true },
);

/** KEYS: sequence, when the last entry ends, then the numbers to be set. ARGV: how long numbers are remembered. */
export const invalidateTags: Script = /* @__PURE__ */ script(
  `${prelude}
local remember = tonumber(ARGV[1])
local n = int(advance(KEYS[1], remember))
-- As long as there may be an entry that it concerns.
local life = math.max(remember, number(KEYS[2]) - now + 1000)
for i = 3, #KEYS do redis.call('SET', KEYS[i], n, 'PX', int(life)) end
return 1
`,
  { keys: 'any', idempotent: true },
);

/** KEYS: lock. ARGV: token, channel, name. */
export const releaseLock: Script = /* @__PURE__ */ script(
  `${prelude}
if redis.call('GET', KEYS[1]) == ARGV[1] then unlock(KEYS[1], ARGV[2], ARGV[3]) end
return 1
`,
  { keys: 1, idempotent: true },
);

/** The server's clock, in ms, of the node that serves a key. */
export const serverTime: Script = /* @__PURE__ */ script(
  `${prelude}
return now
`,
  { keys: 1, idempotent: true },
);
