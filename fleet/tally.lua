-- KEYS[1]: what each node counted of one thing
-- ARGV: this node, what it counted, for how many ms to keep the thing
-- Returns the sum over all nodes. A node's greater count stays: it may come late.
local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before or tonumber(ARGV[2]) > tonumber(before) then
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local sum = 0
for _, count in ipairs(redis.call('HVALS', KEYS[1])) do
	sum = sum + tonumber(count)
end
return sum
