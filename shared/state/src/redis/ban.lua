-- What the scripts about bans have in common, ahead of each.
-- KEYS: bans (hash: version, and by address when the ban ends and why)
local bans = KEYS[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Versions start at the time in microseconds, so that one from before a loss is none of those that follow.
redis.call('HSETNX', bans, 'version', string.format('%.0f', t[1] * 1000000 + t[2]))
