-- KEYS: failures (zset, scored by the microsecond each is forgotten), lock   -> {failures, ms of lock left}
local t = redis.call('TIME')
local failures = redis.call('ZCOUNT', KEYS[1], string.format('(%.0f', t[1] * 1000000 + t[2]), '+inf')
return {failures, math.max(0, redis.call('PTTL', KEYS[2]))}
