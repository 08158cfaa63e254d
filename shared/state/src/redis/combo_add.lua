-- KEYS: combos (hash)
-- ARGV: for each count its field, combo, model, requests, successes, failures, fallbacks, latency, last used, last ok
-- Beyond this a number has gaps, and cannot be answered as one.
local most = 2 ^ 53
for i = 1, #ARGV, 10 do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  held = held and cmsgpack.unpack(held) or {ARGV[i + 1], ARGV[i + 2], 0, 0, 0, 0, 0, 0, '0'}
  for n = 3, 7 do held[n] = math.min(most, held[n] + tonumber(ARGV[i + n])) end
  local used = tonumber(ARGV[i + 8])
  if used >= held[8] then
    held[8], held[9] = used, ARGV[i + 9]
  end
  redis.call('HSET', KEYS[1], ARGV[i], cmsgpack.pack(held))
end
