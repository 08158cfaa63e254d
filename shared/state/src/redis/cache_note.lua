-- ARGV: generation, name, ms the answer is kept, how many may be   -> the names of those that are too many
if not enter(ARGV[1]) then return {} end
redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
redis.call('ZADD', index, now + tonumber(ARGV[3]), ARGV[2])
local over = redis.call('ZCARD', index) - tonumber(ARGV[4])
local gone = {}
if over > 0 then
  for i, name in ipairs(redis.call('ZPOPMIN', index, over)) do
    if i % 2 == 1 then table.insert(gone, name) end
  end
end
-- As long as the longest of them.
local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2]
if last then redis.call('PEXPIREAT', index, math.floor(tonumber(last)) + 1000) end
return gone
