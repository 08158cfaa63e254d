-- ARGV: for each transition the subject, its scope, provider, connection and model; standing, ms left, level or
--       failures, limited, reason; for how many ms it is remembered after its end
for i = 1, #ARGV, 11 do
  local subject, standing, ends = ARGV[i], ARGV[i + 5], now + tonumber(ARGV[i + 6])
  local held = redis.call('HGET', health, subject)
  held = held and cmsgpack.unpack(held)
  if not (held and held.standing == standing and held.ends > ends) then
    redis.call('ZADD', order, redis.call('HINCRBY', health, 'version', 1), subject)
    redis.call('ZADD', forget, ends + tonumber(ARGV[i + 10]), subject)
    redis.call('HSET', health, subject, cmsgpack.pack({
      scope = ARGV[i + 1], provider = ARGV[i + 2], connection = ARGV[i + 3], model = ARGV[i + 4],
      standing = standing, ends = ends, number = ARGV[i + 7], limited = ARGV[i + 8], reason = ARGV[i + 9],
      since = now,
    }))
  end
end
