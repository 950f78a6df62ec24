"""
What Redis does in one step for the queue layer; the clock is its own, so that those of the processes may differ.

A stream is a queue. A group is two sorted sets: where to send a message (``n:`` a process, ``c:`` a channel that any
process may read), and the channels themselves. Their scores are when an entry lapses, in milliseconds.
"""

from __future__ import annotations

from typing import Final

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: KEYS: stream. ARGV: capacity, expiry and time to keep the stream in ms, whether to drop what is oldest, payload.
ENQUEUE: Final = (
    _NOW
    + """
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', now - ARGV[2]))
if ARGV[4] == '1' then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[1] - 1)
elseif redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('XADD', KEYS[1], '*', 'd', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
)

#: KEYS: routes, members. ARGV: lease in ms, route, channels.
JOIN: Final = (
    _NOW
    + """
local deadline = string.format('%.0f', now + ARGV[1])
redis.call('ZADD', KEYS[1], deadline, ARGV[2])
for index = 3, #ARGV do
  redis.call('ZADD', KEYS[2], deadline, ARGV[index])
end
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return 1
"""
)

#: KEYS: routes or members. Returns those that have not lapsed.
LIVE: Final = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
)
