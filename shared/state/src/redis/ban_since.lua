-- ARGV: version   -> {version, changed, bans that have not ended}
local version = redis.call('HGET', bans, 'version')
if version == ARGV[1] then return {tonumber(version), 0, {}} end
local held = redis.call('HGETALL', bans)
local found = {}
for i = 1, #held, 2 do
  if held[i] ~= 'version' then
    local ban = cmsgpack.unpack(held[i + 1])
    if ban[1] > now then table.insert(found, {held[i], ban[2], ban[1], ban[1] - now}) end
  end
end
return {tonumber(version), 1, found}
