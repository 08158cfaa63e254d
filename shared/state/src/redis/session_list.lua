-- KEYS: sessions, seen   ARGV: idle ms after which one is forgotten   -> the sessions
local t = redis.call('TIME')
local since = t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[1])
local sessions = {}
for _, field in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%.0f', since), '+inf')) do
  local held = redis.call('HGET', KEYS[1], field)
  if held then table.insert(sessions, cmsgpack.unpack(held)) end
end
return sessions
