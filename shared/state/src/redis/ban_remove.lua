-- ARGV: address   -> 1 if it was banned
local held = redis.call('HGET', bans, ARGV[1])
if not held then return 0 end
redis.call('HDEL', bans, ARGV[1])
redis.call('HINCRBY', bans, 'version', 1)
return cmsgpack.unpack(held)[1] > now and 1 or 0
