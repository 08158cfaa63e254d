-- KEYS: leases (zset: requests that run, by the microsecond their lease ends)
-- ARGV: lease ms, requests
local t = redis.call('TIME')
local ends = string.format('%.0f', t[1] * 1000000 + t[2] + tonumber(ARGV[1]) * 1000)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', 'GT', ends, ARGV[i]) end
redis.call('EXPIRE', KEYS[1], 604800)
