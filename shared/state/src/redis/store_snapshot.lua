-- KEYS: snapshot   ARGV: epoch, revision, sealed bytes   -> 1 if written
-- Revisions are compared as numbers: they count edits and stay far below 2^53.
local held = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
if held[1] == ARGV[1] and tonumber(held[2]) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2], 'sealed', ARGV[3])
return 1
