-- ARGV: request, lease ms, concurrency (0 = any), reserved nano, how many budgets, how many rates;
--       of each budget its period, limit and the ms it ends; of each rate its name, us per unit, limit and units
-- -> {1 admitted, 2 repeated, 0 denied; by which limit; ms until it may fit, -1 = not before the period ends; running;
--     of each rate what remains and ms until it is full; of each budget what is spent and reserved}
local request, lease, concurrency, cost = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local b, g = tonumber(ARGV[5]), tonumber(ARGV[6])
local first_rate = 7 + 3 * b

lapse()

local function budget(i)
  local at = 4 + 3 * i
  return ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
end

local function rate(i)
  local at = first_rate + 4 * (i - 1)
  return ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
end

local function answer(verdict, by, retry_ms)
  local out = { verdict, by, retry_ms, redis.call('ZCARD', leases) }
  for i = 1, g do
    local name, unit, limit = rate(i)
    local used = full_at(name) - now
    out[#out + 1] = math.max(0, math.floor((limit * unit - used) / unit + 0.01))
    out[#out + 1] = math.ceil(used / 1000)
  end
  for i = 1, b do
    local period = budget(i)
    out[#out + 1] = redis.call('HGET', budgets, 'spent:' .. period) or '0'
    out[#out + 1] = redis.call('HGET', budgets, 'held:' .. period) or '0'
  end
  return out
end

if redis.call('ZSCORE', leases, request) then return answer(2, 0, 0) end
if concurrency > 0 and redis.call('ZCARD', leases) >= concurrency then return answer(0, 0, 250) end
for i = 1, b do
  local period, limit = budget(i)
  local spent = tonumber(redis.call('HGET', budgets, 'spent:' .. period) or '0')
  local held = tonumber(redis.call('HGET', budgets, 'held:' .. period) or '0')
  if spent >= limit or spent + cost > limit then return answer(0, i, -1) end
  -- it fits as soon as others turn out to cost less than they might
  if spent + held + cost > limit then return answer(0, i, 1000) end
end
local full = {}
for i = 1, g do
  local name, unit, limit, units = rate(i)
  local at = full_at(name)
  local after, most = at + units * unit, now + limit * unit
  -- a hundredth of a unit for what rounding to microseconds adds up to
  if units > limit then
    if at > now + unit / 100 then return answer(0, b + i, math.ceil((at - now) / 1000)) end
  elseif after > most + unit / 100 then
    return answer(0, b + i, math.ceil((after - most) / 1000))
  end
  full[name] = after
end

-- one that lapsed and comes again is a new one
redis.call('ZREM', lapsed, request)
redis.call('ZADD', leases, whole(now + lease * 1000), request)
redis.call('EXPIRE', leases, WEEK)
if b > 0 then
  local held = { ARGV[4] }
  for i = 1, b do
    local period, _, ends_ms = budget(i)
    open_period(period, ends_ms)
    redis.call('HINCRBY', budgets, 'held:' .. period, ARGV[4])
    held[#held + 1] = period
  end
  keep_budgets()
  redis.call('HSET', reserved, request, table.concat(held, ' '))
  redis.call('EXPIRE', reserved, WEEK)
end
for name, at in pairs(full) do set_full_at(name, at) end
return answer(1, 0, 0)
