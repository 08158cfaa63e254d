-- KEYS: life, the microsecond at which this memory began
local t = redis.call('TIME')
redis.call('SET', KEYS[1], string.format('%.0f', t[1] * 1000000 + t[2]), 'NX')
return tonumber(redis.call('GET', KEYS[1]))
