-- ARGV: data plane, ms the report counts, generation, hits, similar hits, misses, evictions, tokens saved,
--       entries, most entries, idempotency keys, ms of their window
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
  redis.call('HDEL', reports, gone)
  redis.call('ZREM', ends, gone)
end
redis.call('HSET', reports, ARGV[1], table.concat({ARGV[9], ARGV[10], ARGV[11], ARGV[12]}, ' '))
redis.call('ZADD', ends, now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', reports, ARGV[2])
redis.call('PEXPIRE', ends, ARGV[2])
if enter(ARGV[3]) then
  for i, name in ipairs({'hits', 'similar', 'misses', 'evictions', 'saved'}) do
    redis.call('HINCRBY', counts, name, ARGV[3 + i])
  end
end
