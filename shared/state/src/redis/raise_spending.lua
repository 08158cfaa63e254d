-- ARGV: of each period its name, the ms it ends, and what was spent in it at least
-- What requests that run have reserved may be part of that already.
lapse()
for i = 1, #ARGV, 3 do
  local period, known = ARGV[i], tonumber(ARGV[i + 2])
  local spent = tonumber(redis.call('HGET', budgets, 'spent:' .. period) or '0')
  local held = tonumber(redis.call('HGET', budgets, 'held:' .. period) or '0')
  if spent + held < known then
    open_period(period, ARGV[i + 1])
    redis.call('HSET', budgets, 'spent:' .. period, whole(known - held))
    keep_budgets()
  end
end
