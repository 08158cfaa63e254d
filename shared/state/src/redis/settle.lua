-- ARGV: of each request its name, cost in nano, how many refunds, and of each refund the rate, us per unit and units,
--       negative for what was used beyond what was taken
-- -> of each request 1 = it ran, 2 = its lease had ended, 0 = unknown
local out, at = {}, 1

-- what it reserved is released, or had become spent when its lease ended
local function settle(request, cost, ran)
  local amount, periods = reservation(request)
  if not amount then return end
  for period in periods do
    redis.call('HINCRBY', budgets, 'spent:' .. period, cost)
    take((ran and 'held:' or 'spent:') .. period, amount)
  end
  redis.call('HDEL', reserved, request)
end

while at <= #ARGV do
  local request, cost, refunds = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local ran = redis.call('ZREM', leases, request) == 1
  local known = ran or redis.call('ZREM', lapsed, request) == 1
  out[#out + 1] = ran and 1 or known and 2 or 0
  if known then settle(request, cost, ran) end
  at = at + 3
  for _ = 1, refunds do
    if known then
      set_full_at(ARGV[at], full_at(ARGV[at]) - tonumber(ARGV[at + 2]) * tonumber(ARGV[at + 1]))
    end
    at = at + 3
  end
end
return out
