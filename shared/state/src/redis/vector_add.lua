-- KEYS: the stream of a partition
-- ARGV: entry, sealed vector, ms it is kept, how many may be
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local kept = tonumber(ARGV[3])
-- Those of a partition are kept equally long, so that the oldest end first.
if kept < now then redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', now - kept)) end
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[4], '*', 'e', ARGV[1], 'v', ARGV[2])
if redis.call('PTTL', KEYS[1]) < kept then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
