-- ARGV: periods -> of each what is spent and what is reserved
lapse()
local out = {}
for _, period in ipairs(ARGV) do
  out[#out + 1] = redis.call('HGET', budgets, 'spent:' .. period) or '0'
  out[#out + 1] = redis.call('HGET', budgets, 'held:' .. period) or '0'
end
return out
