-- ARGV: address, reason, ms it lasts
local held = redis.call('HGETALL', bans)
for i = 1, #held, 2 do
  if held[i] ~= 'version' and cmsgpack.unpack(held[i + 1])[1] <= now then redis.call('HDEL', bans, held[i]) end
end
redis.call('HSET', bans, ARGV[1], cmsgpack.pack({now + tonumber(ARGV[3]), ARGV[2]}))
redis.call('HINCRBY', bans, 'version', 1)
