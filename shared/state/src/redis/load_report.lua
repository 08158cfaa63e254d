-- KEYS: loads (hash: reports by data plane), ends (zset: data planes by the millisecond their report ends)
-- ARGV: data plane, ms the report counts; for each load the connection, provider, queued, running, done, limit,
--       remaining, reset, empty for what is unknown
local loads, ends = KEYS[1], KEYS[2]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
  redis.call('HDEL', loads, gone)
  redis.call('ZREM', ends, gone)
end
local report = {}
for i = 3, #ARGV, 8 do
  local load = {}
  for n = 0, 7 do load[n + 1] = ARGV[i + n] ~= '' and ARGV[i + n] end
  -- names are never unknown
  load[1], load[2] = ARGV[i], ARGV[i + 1]
  table.insert(report, load)
end
redis.call('HSET', loads, ARGV[1], cmsgpack.pack(report))
redis.call('ZADD', ends, now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', loads, ARGV[2])
redis.call('PEXPIRE', ends, ARGV[2])
