-- KEYS: failures (zset by time), lock   -> {failures, ms of lock left}
-- Failures older than the window are dropped by the next failure or by the key's expiry: what is counted here
-- is an upper bound that only informs, the lock decides.
return {redis.call('ZCARD', KEYS[1]), math.max(0, redis.call('PTTL', KEYS[2]))}
