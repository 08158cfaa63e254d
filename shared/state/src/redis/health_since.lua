-- ARGV: version   -> {version, complete, transitions in order}
local asked = tonumber(ARGV[1])
local version = tonumber(redis.call('HGET', health, 'version'))
if asked == version then return {version, 0, {}} end
local complete = asked < floor or asked > version
local found = redis.call('ZRANGEBYSCORE', order, complete and '-inf' or '(' .. ARGV[1], '+inf')
local transitions = {}
for _, subject in ipairs(found) do
  local held = cmsgpack.unpack(redis.call('HGET', health, subject))
  if not complete or held.standing == 'open' or (held.standing == 'resting' and held.ends > now) then
    table.insert(transitions, {
      held.scope, held.provider, held.connection, held.model,
      held.standing, math.max(0, held.ends - now), held.number, held.limited, held.reason, held.since,
    })
  end
end
return {version, complete and 1 or 0, transitions}
