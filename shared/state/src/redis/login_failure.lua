-- KEYS: failures (zset, scored by the microsecond each is forgotten), lock
-- ARGV: window in ms, failures that lock   -> {failures, ms of lock left}
-- The server's clock decides, so planes need not agree on theirs.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local window = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
-- the member must be unique among failures of the same microsecond
local member = string.format('%.0f:%d', now, redis.call('ZCARD', KEYS[1]))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + window * 1000), member)
-- a shorter window must not forget what was counted for a longer one
if redis.call('PTTL', KEYS[1]) < window then redis.call('PEXPIRE', KEYS[1], window) end
local failures = redis.call('ZCARD', KEYS[1])
if failures >= tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  if redis.call('PTTL', KEYS[2]) < window then redis.call('SET', KEYS[2], 1, 'PX', window) end
  failures = 0
end
return {failures, math.max(0, redis.call('PTTL', KEYS[2]))}
