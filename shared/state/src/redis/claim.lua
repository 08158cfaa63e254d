-- KEYS: claim (hash: holder, and the answer once there is one)
-- ARGV: holder, ms of its lease
-- -> {0} granted, {1, ms} held by another for so long, {2, 0, answer}
local claim = redis.call('HMGET', KEYS[1], 'holder', 'answer')
if claim[2] then return {2, 0, claim[2]} end
if claim[1] and claim[1] ~= ARGV[1] then return {1, redis.call('PTTL', KEYS[1]), ''} end
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {0, 0, ''}
