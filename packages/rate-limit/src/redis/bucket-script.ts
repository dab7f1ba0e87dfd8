/**
 * The first part of the script: the most frequent questions by far, without what the others need. Charges to a single
 * bucket, and leases of one. It stops at the first run of other questions.
 */
export const bucketScript = `
local kind, cap, token, tick, cost, wanted
-- The answer; and what is to be kept if that has changed, and for how long.
local function bucket(held)
  local block, arrival, origin = 0, 0, 0
  if held then block, arrival, origin = unpack('>ddd', held) end
  local full, changed = token * cap, false
  if now > origin + 4503599627370496 / tick then
    if arrival > 0 then
      changed, arrival = true, arrival - floor((now - origin) * tick)
      if arrival < 0 then arrival = 0 end
    end
    origin = now
  end
  local t = floor((now - origin) * tick)
  if arrival > t + 2 * full then arrival = t + full end
  local level, blocked, wait, granted = 0, 0, 0, 0
  if arrival > t then level = arrival - t end
  if block > now then blocked = block - now end
  local over = level + cost * token - full
  if cost > cap then wait = huge
  elseif over > 0 then wait = ceil(over / tick)
  elseif blocked == 0 then
    granted = cost
    if wanted then
      local most = floor((full - level) / token)
      granted = math.min(wanted, math.max(cost, floor(most * share)), most)
    end
    changed, level = true, level + granted * token
  end
  local left, reset = 0, ceil(level / tick)
  if level < full then left = floor((full - level) / token) end
  local answer = pack('>dddddd', blocked, granted, now, left, wait, reset)
  if not changed then return answer end
  return answer, pack('>ddd', block, t + level, origin), math.min(math.max(reset, blocked, 1), 3e15)
end

while a < #ARGV do
  local n, what, limits = ARGV[a], ARGV[a + 1], ARGV[a + 4]
  if what ~= 'c' and what ~= 'l' or limits ~= '0' and (limits ~= '1' or ARGV[a + 5] < '4') then break end
  cost, wanted = ARGV[a + 2] + 0, what == 'l' and ARGV[a + 3] + 0
  a = a + 5
  if limits == '1' then
    kind, cap, token, tick = ARGV[a] + 0, ARGV[a + 1] + 0, ARGV[a + 2] + 0, ARGV[a + 3] + 0
    a = a + 4
  end
  if n == '1' then
    local key = KEYS[k]
    local answer, state, life = bucket(call('GET', key))
    if state then call('SET', key, state, 'PX', ttl(life)) end
    if #ARGV == a and o == 0 then return answer end
    k, o = k + 1, o + 1
    out[o] = answer
  else
    local found, states, lives = call('MGET', values(KEYS, k, k + n - 1)), {}, {}
    for i = 1, n + 0 do
      local key = KEYS[k]
      local answer, state, life = bucket(states[key] or found[i])
      if state then states[key], lives[key] = state, life end
      k, o = k + 1, o + 1
      out[o] = answer
    end
    -- A key that was asked for several times is written once.
    for key, state in pairs(states) do call('SET', key, state, 'PX', ttl(lives[key])) end
  end
end
`;
