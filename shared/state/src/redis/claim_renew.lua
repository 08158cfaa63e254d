-- KEYS: claim   ARGV: holder, ms of its lease   -> 1, or 0 when the claim is not the holder's any more
local claim = redis.call('HMGET', KEYS[1], 'holder', 'answer')
if claim[2] or claim[1] ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
