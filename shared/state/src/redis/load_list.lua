-- KEYS: loads, ends   -> the loads of every report that has not ended
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local loads = {}
for _, data_plane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%.0f', now), '+inf')) do
  local report = redis.call('HGET', KEYS[1], data_plane)
  if report then
    for _, load in ipairs(cmsgpack.unpack(report)) do table.insert(loads, load) end
  end
end
return loads
