-- KEYS: combos   ARGV: combo, or nothing for all
if not ARGV[1] then return redis.call('DEL', KEYS[1]) end
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  if cmsgpack.unpack(held[i + 1])[1] == ARGV[1] then redis.call('HDEL', KEYS[1], held[i]) end
end
