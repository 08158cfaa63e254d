-- KEYS: combos   ARGV: combo, or nothing for all   -> the counts
local counts = {}
for _, packed in ipairs(redis.call('HVALS', KEYS[1])) do
  local count = cmsgpack.unpack(packed)
  if not ARGV[1] or count[1] == ARGV[1] then table.insert(counts, count) end
end
return counts
