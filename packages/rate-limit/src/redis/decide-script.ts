import { type Script, script } from '@weir/redis';
import { bucketScript } from './bucket-script.ts';

/** The server's own clock, in ticks. */
const serverTime = `
local time = redis.call('TIME')
local now = time[1] * 1024000 + math.floor(time[2] * 128 / 125)
local function ttl(ticks) return math.ceil(ticks / 1024) + 1 end
`;

/**
 * All of the algorithms, for any number of requests in one call: the same steps in the same order and on the same
 * doubles as the columns of memory, so that they decide alike to the last tick.
 *
 * ARGV: of each run of requests that ask the same: how many they are, what is asked, two numbers, and how many limits
 * there are, or 0 if they are those of the run before; of each limit its algorithm (1 fixed window, 2 sliding window, 3
 * sliding log, 4 token bucket, 5 leaky bucket), its capacity, and two more numbers (windows: the length in ticks, 0;
 * buckets: units of a token, units of a tick).
 *
 * KEYS: of each request, the key of its counts and one for each sliding log. What a key holds is a string of doubles: the
 * end of its block, then the cells of each limit. A log is a string of doubles too.
 *
 * What is asked: c charge, p peek, t turn (cost); l lease (least, wanted); a adjust (units); b block (ticks, -1 for
 * ever); r return of a lease (units, when it was granted).
 *
 * Answers with a string of doubles, of each request: ticks it is blocked, units charged, the time, then of each limit
 * what remains, the ticks to wait and to the reset.
 */
const body = `
local call, floor, ceil, huge = redis.call, math.floor, math.ceil, math.huge
local pack, values, unpack = struct.pack, unpack, struct.unpack
local share = 0.25
local out, o, a, k = {}, 0, 1, 1

${bucketScript}if a >= #ARGV then return table.concat(out) end

local max, min, fmod = math.max, math.min, math.fmod
local width = {2, 3, 0, 2, 2}

local function load_log(l, key)
  l.key, l.n = key, call('STRLEN', key) / 8
end
local function at(l, i)
  return (unpack('>d', call('GETRANGE', l.key, i * 8, i * 8 + 7)))
end
-- How many are at or before the edge.
local function gone(l, edge)
  if l.n == 0 or at(l, 0) > edge then return 0 end
  local low, high = 1, l.n
  while low < high do
    local middle = floor((low + high) / 2)
    if at(l, middle) <= edge then low = middle + 1 else high = middle end
  end
  return low
end
local function keep_log(l, from, to, tail)
  local kept = from < to and call('GETRANGE', l.key, from * 8, to * 8 - 1) or ''
  kept = kept .. tail
  l.n = #kept / 8
  if l.n == 0 then call('DEL', l.key)
  else call('SET', l.key, kept, 'PX', ttl(max(0, unpack('>d', kept, #kept - 7) + l.a - now))) end
end

-- What is left of the present window, and what was charged in it and in the one before.
local function left(l) return l.a - fmod(now, l.a) end
local function charged(l, s, i, ago)
  local past = ago - floor(now / l.a) + s[i]
  if past == 0 or past == 1 then return s[i + 1 + past] end
  return 0
end
local function behind(l, room, former)
  if former <= room then return 0 end
  return l.a - floor(room * l.a / former)
end

-- The time of a bucket in its own unit. Its origin moves on before numbers would lose precision.
local function units(l, s, i)
  if now > s[i + 1] + 4503599627370496 / l.b then
    if s[i] > 0 then s.changed = true end
    s[i] = max(0, s[i] - floor((now - s[i + 1]) * l.b))
    s[i + 1] = now
  end
  local t = floor((now - s[i + 1]) * l.b)
  -- Farther ahead than any debt: the server's clock was set back.
  if s[i] > t + 2 * l.full then s[i] = t + l.full end
  return t
end
local function reset(l, s, i)
  if l.kind == 1 then
    if s[i] == floor(now / l.a) and s[i + 1] ~= 0 then return left(l) end
    return 0
  elseif l.kind == 2 then
    if charged(l, s, i, 0) > 0 then return left(l) + l.a end
    if charged(l, s, i, 1) > 0 then return left(l) end
    return 0
  elseif l.kind == 3 then
    if l.n == 0 then return 0 end
    return max(0, at(l, l.n - 1) + l.a - now)
  end
  return ceil(max(0, s[i] - units(l, s, i)) / l.b)
end

local function remaining(l, s, i)
  if l.kind == 1 then
    local used = 0
    if s[i] == floor(now / l.a) then used = s[i + 1] end
    return max(0, l.cap - used)
  elseif l.kind == 2 then
    return max(0, l.cap - charged(l, s, i, 0) - ceil(charged(l, s, i, 1) * left(l) / l.a))
  elseif l.kind == 3 then
    return max(0, l.cap - l.n + gone(l, now - l.a))
  end
  local level = max(0, s[i] - units(l, s, i))
  return max(0, floor((l.full - level) / l.a))
end

local function wait(l, s, i, cost, turn)
  if cost > l.cap then return huge end
  if l.kind == 1 then
    if s[i] ~= floor(now / l.a) or s[i + 1] + cost <= l.cap then return 0 end
    return left(l)
  elseif l.kind == 2 then
    local present, rest = charged(l, s, i, 0), left(l)
    local room = l.cap - cost - present
    if room < 0 then return rest + behind(l, l.cap - cost, present) end
    return max(0, behind(l, room, charged(l, s, i, 1)) - l.a + rest)
  elseif l.kind == 3 then
    local last = l.n + cost - l.cap - 1
    if last < 0 then return 0 end
    return max(0, at(l, last) + l.a - now)
  end
  local t = units(l, s, i)
  if turn and l.kind == 5 then
    -- Several in one ms, where a unit leaks faster than timers fire.
    local slack = l.a < l.b * 1024 and l.b * 1024 or 0
    return ceil(max(0, s[i] - t - slack) / l.b)
  end
  local over = max(s[i], t) + cost * l.a - l.full - t
  if over <= 0 then return 0 end
  return ceil(over / l.b)
end

-- Charges, or gives back what is negative.
local function adjust(l, s, i, n)
  if l.kind == 1 then
    local window = floor(now / l.a)
    local used = 0
    if s[i] == window then used = s[i + 1] end
    s[i], s[i + 1] = window, max(0, min(used + n, 2 * l.cap))
  elseif l.kind == 2 then
    local present, former = charged(l, s, i, 0), charged(l, s, i, 1)
    s[i], s[i + 1], s[i + 2] = floor(now / l.a), max(0, min(present + n, 2 * l.cap)), former
  elseif l.kind == 3 then
    if n == 0 then return end
    local old = gone(l, now - l.a)
    if n < 0 then
      keep_log(l, 0, l.n - min(-n, l.n - old), '')
      return
    end
    local tail = string.rep(pack('>d', now), max(0, min(n, 2 * l.cap - (l.n - old))))
    if 2 * old >= l.n then keep_log(l, old, l.n, tail)
    else
      l.n = call('APPEND', l.key, tail) / 8
      call('PEXPIRE', l.key, ttl(l.a))
    end
  elseif n < 0 then
    s[i] = max(0, s[i] + max(n, -2 * l.cap) * l.a)
  else
    local t = units(l, s, i)
    s[i] = min(max(s[i], t) + min(n, 2 * l.cap) * l.a, t + 2 * l.full)
  end
  s.changed = true
end

-- Gives back units that were granted at that time. Those of a window that has passed are lost.
local function give_back(l, s, i, n, granted)
  if l.kind >= 4 then return adjust(l, s, i, -n) end
  if l.kind <= 2 then
    if floor(granted / l.a) == floor(now / l.a) then adjust(l, s, i, -n) end
    return
  end
  local from, to = gone(l, granted - 1), gone(l, granted)
  to = min(to, from + n)
  if from == to then return end
  local tail = to < l.n and call('GETRANGE', l.key, to * 8, -1) or ''
  keep_log(l, 0, from, tail)
end

local function arg() a = a + 1; return ARGV[a - 1] end
local function number() return tonumber(arg()) end

local set
-- What the last run before this one had, if that was not dealt with here.
if cap then
  set = {cells = 3, {kind = kind, cap = cap, a = token, b = tick, cell = 2, full = token * cap}}
end
local function limits(count)
  if count == 0 then return set end
  local these = {cells = 1}
  for j = 1, count do
    local l = {kind = number(), cap = number(), a = number(), b = number(), cell = these.cells + 1}
    if l.kind >= 4 then l.full = l.a * l.cap end
    these.cells = these.cells + width[l.kind]
    these[j] = l
  end
  return these
end

local function answer(what, first, second)
  local key = KEYS[k]
  local held = call('GET', key)
  local s = {}
  if held then for i = 1, set.cells do s[i] = unpack('>d', held, i * 8 - 7) end
  else for i = 1, set.cells do s[i] = 0 end end
  k = k + 1
  for _, l in ipairs(set) do
    if l.kind == 3 then
      load_log(l, KEYS[k])
      k = k + 1
    end
  end
  local blocked = max(0, s[1] - now)
  local granted, waits, worst = 0, {}, 0
  if what == 'c' or what == 'p' or what == 't' or what == 'l' then
    for j, l in ipairs(set) do
      waits[j] = wait(l, s, l.cell, first, what == 't')
      worst = max(worst, waits[j])
    end
    if what ~= 'p' and worst == 0 and blocked == 0 then
      granted = first
      if what == 'l' then
        local most = huge
        for _, l in ipairs(set) do most = min(most, remaining(l, s, l.cell)) end
        granted = min(second, max(first, floor(most * share)), most)
      end
      for _, l in ipairs(set) do adjust(l, s, l.cell, granted) end
    end
  elseif what == 'a' then
    for _, l in ipairs(set) do adjust(l, s, l.cell, first) end
  elseif what == 'r' then
    for _, l in ipairs(set) do give_back(l, s, l.cell, first, second) end
  else
    s[1] = first < 0 and huge or now + first
    s.changed = true
  end
  local longest = s[1] - now
  local states = {}
  for j, l in ipairs(set) do
    local r = reset(l, s, l.cell)
    longest = max(longest, r)
    states[j] = pack('>ddd', remaining(l, s, l.cell), waits[j] or 0, r)
  end
  if s.changed then
    local cells = {}
    for i = 1, set.cells do cells[i] = pack('>d', s[i]) end
    call('SET', key, table.concat(cells), 'PX', ttl(min(max(longest, 1), 3e15)))
  end
  o = o + 1
  out[o] = pack('>ddd', blocked, granted, now) .. table.concat(states)
end

while a < #ARGV do
  local count, what, first, second = number(), arg(), number(), number()
  set = limits(number())
  for _ = 1, count do answer(what, first, second) end
end
return table.concat(out)
`;

/** The script. `time`: where tests set the time. */
export const decideScript = (time: string = serverTime): Script =>
  script(time + body, { keys: 'any', binary: true });
