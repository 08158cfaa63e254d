-- KEYS: sessions (hash), seen (zset: sessions by the millisecond they were last active)
-- ARGV: idle ms after which one is forgotten, how many are remembered; for each use its field, tenant, session,
--       connection, provider, model, requests
local known, seen = KEYS[1], KEYS[2]
local idle = tonumber(ARGV[1])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Redis may evict one key without the other, and what is not in the index would never go.
if redis.call('HLEN', known) ~= redis.call('ZCARD', seen) then redis.call('DEL', known, seen) end
local function drop(fields)
  for _, field in ipairs(fields) do
    redis.call('HDEL', known, field)
    redis.call('ZREM', seen, field)
  end
end
drop(redis.call('ZRANGEBYSCORE', seen, '-inf', now - idle))
for i = 3, #ARGV, 7 do
  local field, created, requests = ARGV[i], now, tonumber(ARGV[i + 6])
  local held = redis.call('HGET', known, field)
  if held then
    held = cmsgpack.unpack(held)
    created, requests = held[6], held[8] + requests
  end
  -- beyond this a number has gaps, and cannot be answered as one
  requests = math.min(2 ^ 53, requests)
  redis.call('ZADD', seen, now, field)
  redis.call('HSET', known, field, cmsgpack.pack({
    ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], created, now, requests,
  }))
end
local excess = redis.call('ZCARD', seen) - tonumber(ARGV[2])
if excess > 0 then drop(redis.call('ZRANGE', seen, 0, excess - 1)) end
redis.call('PEXPIRE', known, idle)
redis.call('PEXPIRE', seen, idle)
