-- KEYS: leases (zset: requests that run, by the microsecond their lease ends)
-- ARGV: requests
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000000 + t[2])
for i = 1, #ARGV do redis.call('ZADD', KEYS[1], 'XX', 'LT', now, ARGV[i]) end
