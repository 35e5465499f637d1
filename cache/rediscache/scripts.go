package rediscache

// The scripts are sent with each call; go-redis sends their hash first.

// acquireScript renews or wins the lease. KEYS: lease, generation counter. ARGV: holder, generation that is
// held or 0, milliseconds. It returns the generation, or 0 if another holds the lease.
const acquireScript = `
local held = redis.call('GET', KEYS[1])
if held then
  if held ~= ARGV[1] .. ':' .. ARGV[2] then return 0 end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return tonumber(ARGV[2])
end
local generation = redis.call('INCR', KEYS[2])
if not redis.call('SET', KEYS[1], ARGV[1] .. ':' .. generation, 'NX', 'PX', ARGV[3]) then return 0 end
return generation`

// releaseScript gives the lease back. KEYS: lease. ARGV: its value. It returns 0 if another holds it.
const releaseScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`

// finishScript records a result, unless the task's version is void or it has one. KEYS: version under way,
// results, stream. ARGV: version, task, result, group, message, milliseconds. It returns 1 if it did.
const finishScript = `
redis.call('XACK', KEYS[3], ARGV[4], ARGV[5])
redis.call('XDEL', KEYS[3], ARGV[5])
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local first = redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return first`

// endScript makes a version void. KEYS: version under way, results, stream. ARGV: version.
const endScript = `
redis.call('DEL', KEYS[2])
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('XTRIM', KEYS[3], 'MAXLEN', 0)
end
return 1`
