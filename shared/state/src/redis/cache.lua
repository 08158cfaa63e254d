-- What the scripts about cached answers have in common, ahead of each.
-- KEYS: counts (hash: generation, hits, misses, evictions, saved), index (zset: names of answers by the millisecond
--       they end), reports (hash: by data plane), ends (zset: data planes by the millisecond their report ends)
local counts, index, reports, ends = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- The first word of a newer generation ends the one before; an older one says nothing any more.
local function enter(generation)
  local known = tonumber(redis.call('HGET', counts, 'generation') or '-1')
  if tonumber(generation) > known then
    redis.call('DEL', counts, index)
    redis.call('HSET', counts, 'generation', generation)
    return true
  end
  return tonumber(generation) == known
end
