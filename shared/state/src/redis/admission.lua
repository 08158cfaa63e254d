-- What is known of one API key. All of it lies in one slot.
-- KEYS: leases (zset: requests that run, by the microsecond their lease ends)
--       reserved (hash: of each request, what it reserved and in which periods)
--       lapsed (zset: requests whose lease ended, by the microsecond that was noticed)
--       rates (hash: of each bucket, the microsecond at which it will be full)
--       budgets (hash: spent:, held: and ends: of each period)
-- The server's clock decides. 16 digits of microseconds must be printed: Lua itself keeps 14.
local leases, reserved, lapsed, rates, budgets = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local WEEK, DAY = 604800, 86400
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]

local function whole(number) return string.format('%.0f', number) end

-- Redis reads no "-0".
local function take(field, amount)
  if amount == '0' then return end
  if redis.call('HINCRBY', budgets, field, '-' .. amount) < 0 then redis.call('HSET', budgets, field, 0) end
end

-- "amount period period …"
local function reservation(request)
  local held = redis.call('HGET', reserved, request)
  if not held then return nil end
  local amount, periods = string.match(held, '^(%d+)(.*)$')
  return amount, string.gmatch(periods, '%S+')
end

-- A request whose data plane fell silent may have cost what it reserved: that counts as spent until it is settled.
local function lapse()
  local silent = redis.call('ZRANGEBYSCORE', leases, '-inf', whole(now), 'LIMIT', 0, 1000)
  if #silent == 0 then return end
  for _, request in ipairs(silent) do
    redis.call('ZREM', leases, request)
    redis.call('ZADD', lapsed, whole(now), request)
    local amount, periods = reservation(request)
    if amount then
      for period in periods do
        redis.call('HINCRBY', budgets, 'spent:' .. period, amount)
        take('held:' .. period, amount)
      end
    end
  end
  redis.call('EXPIRE', lapsed, WEEK)
  for _, request in ipairs(redis.call('ZRANGEBYSCORE', lapsed, '-inf', whole(now - DAY * 1000000), 'LIMIT', 0, 1000)) do
    redis.call('ZREM', lapsed, request)
    redis.call('HDEL', reserved, request)
  end
end

-- The first use of a period is the time to forget old ones.
local function open_period(period, ends_ms)
  if redis.call('HEXISTS', budgets, 'ends:' .. period) == 1 then return end
  local fields = redis.call('HGETALL', budgets)
  for i = 1, #fields, 2 do
    local old = string.match(fields[i], '^ends:(.*)$')
    if old and tonumber(fields[i + 1]) + 8 * DAY * 1000 < now / 1000 then
      redis.call('HDEL', budgets, 'ends:' .. old, 'spent:' .. old, 'held:' .. old)
    end
  end
  redis.call('HSET', budgets, 'ends:' .. period, ends_ms)
end

-- A key that is idle for longer than any period is forgotten.
local function keep_budgets() redis.call('EXPIRE', budgets, 40 * DAY) end

local function full_at(name) return math.max(now, tonumber(redis.call('HGET', rates, name) or '0')) end

-- A bucket that is full needs no memory.
local function set_full_at(name, at)
  if at <= now then
    redis.call('HDEL', rates, name)
    return
  end
  redis.call('HSET', rates, name, whole(at))
  local ms = math.ceil((at - now) / 1000) + 1000
  if redis.call('PTTL', rates) < ms then redis.call('PEXPIRE', rates, ms) end
end
