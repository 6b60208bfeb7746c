-- One create, as a desk does it: external key, customer, row, queue, deadlines, customer's index, counters.
-- ARGV: channel, queue, address, key, subject, body, time in ms. The answer is the ticket's number.
local channel, queue, address, key, subject, body, now = unpack(ARGV)
local key_name = 'key:' .. channel .. ':' .. key
local known = redis.call('GET', key_name)
if known then return tonumber(known) end
local ticket = redis.call('INCR', 'tickets')
redis.call('SET', key_name, ticket)
local identity = 'identity:' .. channel .. ':' .. address
local customer = redis.call('GET', identity)
if not customer then
    customer = redis.call('INCR', 'customers')
    redis.call('SET', identity, customer)
end
redis.call('HSET', 'ticket:' .. ticket, 'channel', channel, 'queue', queue, 'customer', customer, 'state', 'new',
    'priority', 'normal', 'created', now, 'subject', subject, 'body', body)
redis.call('ZADD', 'queue:' .. queue, ticket, ticket)
redis.call('ZADD', 'due:first_reply', now + 3600000, ticket)
redis.call('ZADD', 'due:resolution', now + 86400000, ticket)
redis.call('RPUSH', 'customer:' .. customer, ticket)
local hour = math.floor(now / 3600000)
redis.call('HINCRBY', 'created:' .. hour, 'desk', 1)
redis.call('HINCRBY', 'created:' .. hour, 'queue:' .. queue, 1)
redis.call('HINCRBY', 'created:' .. hour, 'channel:' .. channel, 1)
redis.call('HINCRBY', 'created:' .. hour, 'priority:normal', 1)
return ticket
