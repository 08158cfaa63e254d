-- What the scripts about health have in common, ahead of each.
-- KEYS: health (hash: version, floor, and what each subject is at), order (zset: subjects by version),
--       forget (zset: subjects by the millisecond they are forgotten)
local health, order, forget = KEYS[1], KEYS[2], KEYS[3]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Redis may evict one key without the others: then nothing is known.
local subjects = redis.call('HLEN', health) - 2
if subjects < 0 or redis.call('ZCARD', order) ~= subjects or redis.call('ZCARD', forget) ~= subjects then
  redis.call('DEL', health, order, forget)
  -- Versions start at the time in microseconds, so that one from before the loss is older than all that follow.
  local start = t[1] * 1000000 + t[2]
  redis.call('HSET', health, 'version', start, 'floor', start)
end
local floor = tonumber(redis.call('HGET', health, 'floor'))
for _, subject in ipairs(redis.call('ZRANGEBYSCORE', forget, '-inf', now)) do
  -- Who does not know this version yet will not learn of it from a difference.
  floor = math.max(floor, tonumber(redis.call('ZSCORE', order, subject)))
  redis.call('HDEL', health, subject)
  redis.call('ZREM', order, subject)
  redis.call('ZREM', forget, subject)
  redis.call('HSET', health, 'floor', floor)
end
