-- ARGV: generation   -> {hits, similar hits, misses, evictions, saved, answers, {report, ...}}
local live = {}
for _, data_plane in ipairs(redis.call('ZRANGEBYSCORE', ends, '(' .. string.format('%.0f', now), '+inf')) do
  local report = redis.call('HGET', reports, data_plane)
  if report then table.insert(live, report) end
end
if redis.call('HGET', counts, 'generation') ~= ARGV[1] then return {0, 0, 0, 0, 0, 0, live} end
local of = redis.call('HMGET', counts, 'hits', 'similar', 'misses', 'evictions', 'saved')
for i = 1, 5 do of[i] = tonumber(of[i] or '0') end
local answers = redis.call('ZCOUNT', index, '(' .. string.format('%.0f', now), '+inf')
return {of[1], of[2], of[3], of[4], of[5], answers, live}
