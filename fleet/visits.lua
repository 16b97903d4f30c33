-- Decides which hits are unique, in order, and remembers them.
--
-- KEYS: the visits of a stretch of time as long as the window, of the stretch
--       before it and of the one behind it, and since when the bucket remembers
-- ARGV: the hits, 24 bytes each: key, key under the salt before (zeros: none),
--       ms since the stretch began, number of the hit
--       the node's clock in ms; how many visits a stretch may have; for how many
--       ms to keep visits; for how many ms to keep the memory's age
--
-- A visit's value: its first and last hit in the stretch, in ms since that began,
-- and the number of the one that was unique, 0 when none was. All hits of a
-- stretch are within one window of each other, so that no more is needed.
--
-- Returns for each hit 1 (unique), 0 (not) or F (nothing is known of it and
-- nothing was remembered: there is no room), and since when the bucket remembers.
local this, before, behind, age = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local hits, now, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local none = string.rep('\0', 8)

local since = redis.call('GET', age)
if not since then
	since = now
	redis.call('SET', age, since, 'PX', ARGV[5])
else
	redis.call('PEXPIRE', age, ARGV[5])
end

local hasBefore = redis.call('EXISTS', before) == 1
local hasBehind = redis.call('EXISTS', behind) == 1
local room = most - redis.call('HLEN', this)
local wrote = false

-- near reports whether a neighbouring stretch has a hit within the window.
local function near(key, at)
	if hasBefore then
		local value = redis.call('HGET', before, key)
		if value then
			local _, last = struct.unpack('>I3I3I4', value)
			if last > at then return true end
		end
	end
	if hasBehind then
		local value = redis.call('HGET', behind, key)
		if value then
			local first = struct.unpack('>I3I3I4', value)
			if first < at then return true end
		end
	end
	return false
end

-- remember adds a hit to what is known of a key, and reports whether it could.
local function remember(key, value, at, owner)
	if value then
		local first, last, was = struct.unpack('>I3I3I4', value)
		if at >= first and at <= last then return true end
		redis.call('HSET', this, key, struct.pack('>I3I3I4', math.min(first, at), math.max(last, at), was))
	else
		if room < 1 then return false end
		room = room - 1
		redis.call('HSET', this, key, struct.pack('>I3I3I4', at, at, owner))
	end
	wrote = true
	return true
end

local function judge(position)
	local key, previous, at, number = struct.unpack('>c8c8I4I4', hits, position)
	local two = previous ~= none
	local value, valuePrevious = redis.call('HGET', this, key), false
	if two then valuePrevious = redis.call('HGET', this, previous) end

	local mine, seen = false, false
	for _, known in ipairs({value or '', valuePrevious or ''}) do
		if known ~= '' then
			local _, _, owner = struct.unpack('>I3I3I4', known)
			if owner == number then mine = true else seen = true end
		end
	end
	if not mine and not seen then
		seen = near(key, at) or (two and near(previous, at))
	end
	local unique = mine or not seen
	local owner = unique and number or 0
	local kept = remember(key, value, at, owner)
	if two then kept = remember(previous, valuePrevious, at, owner) and kept end
	if not unique then return '0' end
	return kept and '1' or 'F'
end

local answers = {}
for position = 1, #hits, 24 do
	answers[#answers + 1] = judge(position)
end
if wrote then redis.call('PEXPIRE', this, ARGV[4]) end
return {table.concat(answers), since}
