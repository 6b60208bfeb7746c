/* The one source of the protocol.
 *
 * Every op, record, status and enumeration that crosses the wire is a line of an X-macro below.
 * Structs, size assertions, name tables, record validation, PROTOCOL.md and the fuzz dictionary all
 * come from these lines, so nothing about the protocol is written twice.
 *
 * Rules that keep old clients alive:
 *  - numbers of ops, kinds, statuses and enumeration members are never reused; 0 is never a member;
 *  - a record grows only at the end of its fixed head (a shorter one is zero-extended, a longer one is
 *    accepted while its excess is zero);
 *  - all numbers are little-endian, every head is a multiple of 8 bytes, there is no padding.
 */
#ifndef TICKETD_SCHEMA_H
#define TICKETD_SCHEMA_H

#define TKD_MAGIC 0x31444b54u /* "TKD1" */
#define TKD_PROTOCOL_VERSION 1u
#define TKD_FRAME_BYTES_MAX (1u << 20)
#define TKD_RECORDS_MAX 8191u
#define TKD_RECORD_PREFIX_BYTES 8u
#define TKD_DEFAULT_PORT 7411

/* E(number, NAME, "name", doc) */
#define TKD_FRAME_FLAGS(E)                                                                                   \
    E(1, REPLY, "reply", "the frame is an answer (server to client)")                                        \
    E(2, STOP, "stop",                                                                                       \
      "request: records after the first refused one are answered NOT_RUN, and later requests of the session" \
      " with this flag HALTED, until REGISTER names the session again")                                      \
    E(4, PUSH, "push", "the frame was not asked for: a subscriber's events")                                 \
    E(8, MORE, "more", "answer to a query: more rows follow from `cursor` on")

/* A status has a class: ok, refused (a business answer, final, consumes a session sequence), retry (nothing
 * was done, ask again later), protocol (the client is wrong).
 * S(number, NAME, "name", class, meaning and remedy) */
#define TKD_STATUSES(S)                                                                                      \
    S(1, OK, "ok", ok, "done")                                                                               \
    S(2, EXISTS, "exists", ok,                                                                               \
      "a ticket (or session) with this key exists already; the answer's id is that of the first one")        \
    S(3, UNCHANGED, "unchanged", ok, "already so; nothing was changed and no event was raised")              \
    S(10, NOT_FOUND, "not_found", refused, "no such ticket, customer or session")                            \
    S(11, ILLEGAL_MOVE, "illegal_move", refused, "the ticket's state does not allow this command")           \
    S(12, VERSION_CONFLICT, "version_conflict", refused,                                                     \
      "the ticket or catalog has moved on since the version given: read it again, then decide")              \
    S(13, UNKNOWN_QUEUE, "unknown_queue", refused, "no such queue in the catalog, or it is retired")         \
    S(14, UNKNOWN_AGENT, "unknown_agent", refused, "no such agent in the catalog, or it is retired")         \
    S(15, UNKNOWN_CATEGORY, "unknown_category", refused, "no such category in the catalog, or it is retired")\
    S(16, UNKNOWN_CHANNEL, "unknown_channel", refused, "no such channel in the catalog, or it is retired")   \
    S(17, UNKNOWN_SKILL, "unknown_skill", refused, "no such skill in the catalog, or it is retired")         \
    S(18, UNKNOWN_TIER, "unknown_tier", refused, "no such customer tier in the catalog, or it is retired")   \
    S(19, UNKNOWN_CUSTOMER, "unknown_customer", refused, "no such customer, or no identity was given")       \
    S(20, NOT_A_MEMBER, "not_a_member", refused, "the agent does not serve this queue")                      \
    S(21, NOT_ELIGIBLE, "not_eligible", refused,                                                             \
      "the agent cannot claim this: it is away, lacks a skill or has no spare capacity")                     \
    S(22, NOT_ASSIGNED, "not_assigned", refused, "nobody holds the ticket")                                  \
    S(23, ALREADY_ASSIGNED, "already_assigned", refused, "somebody holds the ticket: release it first")      \
    S(24, REASON_REQUIRED, "reason_required", refused, "this command needs its reason in `text`")            \
    S(25, TEXT_REQUIRED, "text_required", refused, "this command needs `text`")                              \
    S(26, TOO_MANY_TAGS, "too_many_tags", refused, "the ticket has as many tags as a ticket may have")       \
    S(27, NAME_TAKEN, "name_taken", refused, "another entry of this kind has this name")                     \
    S(28, BAD_REFERENCE, "bad_reference", refused,                                                           \
      "a catalog entry refers to one that does not exist, or to itself through its parents")                 \
    S(29, BAD_VALUE, "bad_value", refused, "a member holds a value outside its range")                       \
    S(30, CATALOG_FULL, "catalog_full", refused, "the id is above the limit of this kind of entry")          \
    S(31, NOT_RUN, "not_run", refused, "an earlier record of the frame was refused and the flag `stop` set") \
    S(32, PAUSED, "paused", refused, "the ticket is paused by an operator: continue it first")               \
    S(33, IN_USE, "in_use", refused, "the name exists already (backup)")                                     \
    S(34, UNREADABLE, "unreadable", refused,                                                                 \
      "what was asked for cannot be read from the store: it is damaged; start from a backup")                \
    S(50, DESK_FULL, "desk_full", retry, "no room in memory: close tickets or raise --memory-budget")        \
    S(51, STORAGE_FULL, "storage_full", retry, "no room on the disk: free some; nothing was applied")        \
    S(52, BUSY, "busy", retry, "the server cannot take this now: ask again")                                 \
    S(53, STOPPING, "stopping", retry, "the server is shutting down: reconnect later")                       \
    S(54, WINDOW_FULL, "window_full", retry,                                                                 \
      "the session holds as many unacknowledged answers as its window: raise ack_below")                     \
    S(55, HALTED, "halted", retry,                                                                           \
      "an earlier request of the session was refused under the flag `stop`: REGISTER the session again to go on")\
    S(70, BAD_MAGIC, "bad_magic", protocol, "not a frame of this protocol; the connection is closed")        \
    S(71, BAD_HEADER_CHECKSUM, "bad_header_checksum", protocol,                                              \
      "the header is damaged, so its size is not believed; the connection is closed")                        \
    S(72, BAD_VERSION, "bad_version", protocol, "this protocol version is not spoken here; see HELLO")       \
    S(73, BAD_SIZE, "bad_size", protocol, "the frame's size is below a header, above 1 MiB or no multiple of 8")\
    S(74, BAD_BODY_CHECKSUM, "bad_body_checksum", protocol, "the body is damaged")                           \
    S(75, UNKNOWN_OP, "unknown_op", protocol, "no such op")                                                  \
    S(76, BAD_FLAGS, "bad_flags", protocol, "a flag that a request may not carry")                           \
    S(77, BAD_COUNT, "bad_count", protocol, "the op does not take this number of records")                   \
    S(78, BAD_RECORD, "bad_record", protocol,                                                                \
      "a record's sizes do not add up, a text is too long or not UTF-8, or unknown members are not zero")    \
    S(79, BAD_TIME, "bad_time", protocol,                                                                    \
      "time_ms must be 0 under the wall clock; under the virtual clock it must not go back, nor pass the year 6429")                \
    S(80, SESSION_EXPIRED, "session_expired", protocol, "no such session, or it was evicted: register anew") \
    S(81, SEQUENCE_GAP, "sequence_gap", protocol, "seq is above the session's next one; nothing was applied")\
    S(82, SEQUENCE_REUSED, "sequence_reused", protocol, "this seq was used for a different request")         \
    S(83, SEQUENCE_FORGOTTEN, "sequence_forgotten", protocol,                                                \
      "the answer was acknowledged by ack_below and is no longer kept")                                      \
    S(84, FENCED, "fenced", protocol, "the session is not attached to this connection: ATTACH it first")     \
    S(85, HELLO_FIRST, "hello_first", protocol, "the first frame of a connection must be HELLO")             \
    S(86, BAD_REPLY, "bad_reply", protocol, "(client side) the server's frame does not verify")

#define TKD_STATES(E)                                                                                        \
    E(1, NEW, "new", "nobody has taken it up yet")                                                           \
    E(2, OPEN, "open", "being handled")                                                                      \
    E(3, PENDING, "pending", "waits for the customer")                                                       \
    E(4, ON_HOLD, "on_hold", "waits for a third party")                                                      \
    E(5, RESOLVED, "resolved", "solved; a reply of the customer reopens it")                                 \
    E(6, CLOSED, "closed", "final, until it is reopened by a command")                                       \
    E(7, CANCELLED, "cancelled", "ended without a solution")

#define TKD_PRIORITIES(E)                                                                                    \
    E(1, URGENT, "urgent", "first")                                                                          \
    E(2, HIGH, "high", "")                                                                                   \
    E(3, NORMAL, "normal", "the default")                                                                    \
    E(4, LOW, "low", "last")

#define TKD_STRATEGIES(E)                                                                                    \
    E(1, LEAST_LOADED, "least_loaded", "the eligible agent with the lowest load, then the longest idle one") \
    E(2, LONGEST_IDLE, "longest_idle", "the eligible agent whose last assignment is the longest ago")        \
    E(3, CLAIM, "claim", "nobody is chosen: members claim")

#define TKD_PRESENCES(E)                                                                                     \
    E(1, OFFLINE, "offline", "gets no work")                                                                 \
    E(2, ONLINE, "online", "gets work up to the capacity")

/* Verbs of TICKET_UPDATE: the record's `kind`. */
#define TKD_VERBS(E)                                                                                         \
    E(1, ASSIGN, "assign", "give it to `agent`, who must serve the queue (presence and capacity are not asked)")\
    E(2, CLAIM, "claim", "`agent` takes an unassigned ticket; must be present, skilled and have capacity")   \
    E(3, RELEASE, "release", "back to the queue, unassigned")                                                \
    E(4, TRANSFER, "transfer", "to `queue`, and to `agent` there if given")                                  \
    E(5, PRIORITY, "priority", "set `priority`")                                                             \
    E(6, CATEGORY, "category", "set `category` (0 = none)")                                                  \
    E(7, TAG, "tag", "add the tag `text`")                                                                   \
    E(8, UNTAG, "untag", "remove the tag `text`")                                                            \
    E(9, PEND, "pend", "wait for the customer")                                                              \
    E(10, HOLD, "hold", "wait for a third party")                                                            \
    E(11, RESUME, "resume", "open again")                                                                    \
    E(12, RESOLVE, "resolve", "solved")                                                                      \
    E(13, CLOSE, "close", "final; closing an unsolved ticket counts as a solve")                             \
    E(14, CANCEL, "cancel", "ended without a solution; does not count as a solve")                           \
    E(15, FORCE_END, "force_end", "an operator closes what is not ended, paused or not; the reason is `text`; no solve")\
    E(16, PAUSE, "pause", "an operator stops all work and all clocks")                                       \
    E(17, CONTINUE, "continue", "undo pause")                                                                \
    E(18, REOPEN, "reopen", "resolved, closed or cancelled becomes open again")                              \
    E(19, URGE, "urge", "the customer urges; counted")                                                       \
    E(20, REPLY, "reply", "public reply `text` to the customer; stops the first-reply clock")                \
    E(21, NOTE, "note", "internal note `text`")                                                              \
    E(22, MESSAGE, "message", "message `text` of the customer; pending and resolved become open")

#define TKD_CATALOG_KINDS(E)                                                                                 \
    E(1, DESK, "desk", "settings of the whole desk")                                                         \
    E(2, SKILL, "skill", "")                                                                                 \
    E(3, CHANNEL, "channel", "")                                                                             \
    E(4, TIER, "tier", "customer tier")                                                                      \
    E(5, CATEGORY, "category", "tree")                                                                       \
    E(6, QUEUE, "queue", "group or department, tree")                                                        \
    E(7, AGENT, "agent", "")                                                                                 \
    E(8, POLICY, "policy", "SLA policy")

#define TKD_CLOCKS(E)                                                                                        \
    E(1, FIRST_REPLY, "first_reply", "created until the first public reply")                                 \
    E(2, RESOLUTION, "resolution", "created until solved; goes on after a reopen")                           \
    E(3, STEP, "step", "a task in its queue")

#define TKD_CARDS(E)                                                                                         \
    E(1, YELLOW, "yellow", "the lead before the deadline has begun")                                         \
    E(2, RED, "red", "the deadline is breached")

#define TKD_OUTCOMES(E)                                                                                      \
    E(1, DONE, "done", "the ticket was solved here")                                                         \
    E(2, TRANSFERRED, "transferred", "another station goes on")                                              \
    E(3, RETURNED, "returned", "")                                                                           \
    E(4, WITHDRAWN, "withdrawn", "")                                                                         \
    E(5, CANCELLED, "cancelled", "the ticket ended without a solution")                                      \
    E(6, TIMED_OUT, "timed_out", "")

/* Why a task went where it went. */
#define TKD_RULES(E)                                                                                         \
    E(1, LEAST_LOADED, "least_loaded", "the queue's strategy chose")                                         \
    E(2, LONGEST_IDLE, "longest_idle", "the queue's strategy chose")                                         \
    E(3, CLAIM, "claim", "waits until a member claims it")                                                   \
    E(4, NOBODY_ELIGIBLE, "nobody_eligible", "waits: no eligible agent has capacity")                        \
    E(5, BEHIND_OTHERS, "behind_others", "waits: others of the queue are being served first")                \
    E(6, FREED_CAPACITY, "freed_capacity", "an agent became able to take it and it was first in line")       \
    E(7, PREVIOUS_AGENT, "previous_agent", "reopened: back to the agent who had it, who is eligible")        \
    E(8, NO_ROUTING, "no_routing", "the caller assigns (create with no_routing)")

/* Kinds of events; the members a..e of an event by kind. */
#define TKD_EVENTS(E)                                                                                        \
    E(1, CREATED, "created",                                                                                 \
      "a queue, b customer, c category, d priority | state << 8 | channel << 16; link = the customer's previous touch; text = six u32 lengths and the request's six texts")\
    E(2, ROUTED, "routed", "a agent, b eligible agents, c rule, d the agent's load before, e waited ms (cut at 2^32-1)")\
    E(3, WAITING, "waiting", "a queue, b tasks waiting in the queue, c rule")                                \
    E(4, ASSIGNED, "assigned", "by a person: a agent, b agent before")                                       \
    E(5, RELEASED, "released", "a agent who had it")                                                         \
    E(6, TASK_CLOSED, "task_closed", "a queue, b agent, c outcome, d state | priority << 8; link = entered ms")\
    E(7, TRANSFERRED, "transferred", "a queue before, b queue, c agent")                                     \
    E(8, PRIORITY, "priority", "a before, b now")                                                            \
    E(9, CATEGORY, "category", "a before, b now")                                                            \
    E(10, TAGGED, "tagged", "text = tag")                                                                    \
    E(11, UNTAGGED, "untagged", "text = tag")                                                                \
    E(12, STATE, "state", "a before, b now, c verb, d queue, e agent; text = reason or comment")             \
    E(13, PAUSED, "paused", "text = reason")                                                                 \
    E(14, CONTINUED, "continued", "")                                                                        \
    E(15, URGED, "urged", "a how often so far; link = the customer's previous touch")                        \
    E(16, REPLIED, "replied", "text; a = 1 if it was the first reply; link = the customer's previous touch") \
    E(17, NOTED, "noted", "text")                                                                            \
    E(18, MESSAGE, "message", "text of the customer; a channel; link = the customer's previous touch")       \
    E(19, CARD, "card", "a clock, b card, c policy (queue for a step), d priority; link = target ms")        \
    E(20, ARCHIVED, "archived", "the ticket left memory; text = its row without subject, key and address; link = the CREATED event")                                    \
    E(30, CATALOG, "catalog", "a kind, b id, c version of the catalog; text = the entry as applied")         \
    E(31, PRESENCE, "presence", "a agent, b presence")                                                       \
    E(32, CUSTOMER, "customer", "a customer, b tier before, c tier; text = name")

/* ---- Records. N(type, name, doc): a number. T(name, max, doc): a text; its length is a u32 of that name in
 * the head, its bytes stand in the tail, texts one after another in this order. Numbers come first. A text is
 * UTF-8, unless its doc begins with "u16 ": then it is a list of such numbers. ---- */

#define TKD_FIELDS_result(N, T)                                                                              \
    /* the one record without a prefix */                                                                    \
    N(u32, status, "status")                                                                                 \
    N(u32, version, "the ticket's (or catalog's) version after the command")                                 \
    N(u64, id, "ticket, session or customer id")

#define TKD_FIELDS_empty(N, T)

#define TKD_FIELDS_hello(N, T)                                                                               \
    N(u32, version_min, "lowest protocol version the client speaks")                                         \
    N(u32, version_max, "highest one")                                                                       \
    N(u32, reserved, "0")                                                                                    \
    T(client, 128, "name and version of the client, for the log")

#define TKD_FIELDS_hello_reply(N, T)                                                                         \
    N(u32, version, "the version to speak")                                                                  \
    N(u32, frame_bytes_max, "")                                                                              \
    N(u32, records_max, "per frame")                                                                         \
    N(u32, clock, "1 wall, 2 virtual")                                                                       \
    N(u64, store, "number drawn when the data directory was made")                                           \
    N(u64, time_ms, "the desk's time")                                                                       \
    N(u32, reserved, "0")                                                                                    \
    T(server, 128, "name and version of the server")

#define TKD_FIELDS_register(N, T)                                                                            \
    N(u32, window, "unacknowledged requests the client wants to have in flight (1..64; 0 = 64)")             \
    T(name, 128, "optional: a name under which the session is found again (the answer is then EXISTS)")

#define TKD_FIELDS_session_id(N, T) N(u64, session, "session id")

#define TKD_FIELDS_session(N, T)                                                                             \
    N(u64, session, "session id")                                                                            \
    N(u64, next_seq, "the seq that the next new request must carry")                                         \
    N(u64, records,                                                                                          \
      "records done through this session since it was registered; of a request with the flag `stop` those"   \
      " before the first refused one")                                                                       \
    N(u32, window, "")                                                                                       \
    N(u32, reserved, "0")

#define TKD_FIELDS_catalog_entry(N, T)                                                                       \
    N(u32, id, "1.. chosen by the client: a free one for a new entry (ids are never reused); 1 for the desk")\
    N(u32, expected_version, "first record only: the catalog version this is based on")                      \
    N(u32, parent, "queue, category: id of the parent, 0 = top")                                             \
    N(u32, capacity, "agent: tasks at a time, 0 = no limit")                                                 \
    N(u32, order, "policy: looked at in ascending order")                                                    \
    N(u16, states_first_reply, "policy: bit n set: the first-reply clock runs in state n")                   \
    N(u16, states_resolution, "policy: the same for the resolution clock")                                   \
    N(u8, retired, "1: retired: stays readable, is not used any more")                                       \
    N(u8, strategy, "queue: strategy")                                                                       \
    N(u8, all_queues, "agent: 1: serves every queue")                                                        \
    N(u8, priorities, "policy: bit n set: applies to priority n; 0 = all")                                   \
    N(u32, yellow_percent, "policy, queue: yellow card when this share of the target is left, 0 = none")     \
    N(u64, yellow_ms, "policy, queue: yellow card this long before the deadline, 0 = none")                  \
    N(u64, archive_after_ms, "desk: a ticket leaves memory this long after it was closed; 0 = 365 days")       \
    N(u64, step_ms, "queue: target of a task here, 0 = none")                                                \
    N(u64, first_reply_urgent_ms, "policy: target by priority, 0 = none")                                    \
    N(u64, first_reply_high_ms, "")                                                                          \
    N(u64, first_reply_normal_ms, "")                                                                        \
    N(u64, first_reply_low_ms, "")                                                                           \
    N(u64, resolution_urgent_ms, "policy: target by priority, 0 = none")                                     \
    N(u64, resolution_high_ms, "")                                                                           \
    N(u64, resolution_normal_ms, "")                                                                         \
    N(u64, resolution_low_ms, "")                                                                            \
    N(u64, states_step, "queue: bit n set: the step clock runs in ticket state n; 0 = new and open")         \
    T(name, 120, "unique among the entries of the kind")                                                     \
    T(skills, 512, "u16 skill ids: an agent's, or required by a queue or category")                          \
    T(queues, 8192, "u16 queue ids that an agent serves")                                                   \
    T(categories, 8192, "u16 category ids of a policy (with all below them); none = all")                        \
    T(channels, 512, "u16 channel ids of a policy; none = all")                                                  \
    T(tiers, 128, "u16 tier ids of a policy; none = all")

#define TKD_FIELDS_ticket_create(N, T)                                                                       \
    N(u64, customer, "customer id, or 0: by `address`, created on first sight")                              \
    N(u16, channel, "channel id")                                                                            \
    N(u16, queue, "queue id")                                                                                \
    N(u16, category, "category id, 0 = none")                                                                \
    N(u8, priority, "0 = normal")                                                                            \
    N(u8, state, "0 = new; new or open")                                                                     \
    N(u32, agent, "0, or the agent who gets it at once")                                                     \
    N(u32, no_routing, "1: this ticket is only ever assigned by commands")                                   \
    T(address, 256, "the customer's identity in this channel (phone number, mail address, account)")         \
    T(receiver, 256, "the address that received it; part of the external key")                               \
    T(key, 256, "external id, unique by channel and receiver; a second create answers EXISTS")               \
    T(subject, 1024, "")                                                                                     \
    T(body, 262144, "")                                                                                      \
    T(skills, 64, "u16 skill ids required besides those of queue and category")

#define TKD_FIELDS_ticket_update(N, T)                                                                       \
    N(u64, ticket, "ticket id, or 0: by `channel`, `receiver` and `key`")                                    \
    N(u32, version, "0, or the version the client saw: VERSION_CONFLICT if it has moved on")                 \
    N(u32, actor, "agent on whose behalf this is done, 0 = none")                                            \
    N(u32, agent, "assign, claim, transfer")                                                                 \
    N(u16, queue, "transfer")                                                                                \
    N(u16, category, "category")                                                                             \
    N(u16, channel, "of the external key, and of a message")                                                 \
    N(u8, priority, "priority")                                                                              \
    N(u8, reserved1, "0")                                                                                    \
    T(receiver, 256, "of the external key")                                                                  \
    T(key, 256, "external key")                                                                              \
    T(text, 262144, "reply, note, message, tag, or the reason")

#define TKD_FIELDS_agent_presence(N, T)                                                                      \
    N(u32, agent, "agent id")                                                                                \
    N(u32, presence, "presence")

#define TKD_FIELDS_customer_update(N, T)                                                                     \
    N(u64, customer, "customer id")                                                                          \
    N(u32, tier, "tier id, 0 = none")                                                                        \
    T(name, 256, "kept in the customer's history")

#define TKD_FIELDS_ticket_get(N, T)                                                                          \
    N(u64, ticket, "ticket id, or 0: by the external key")                                                   \
    N(u32, channel, "of the external key")                                                                   \
    N(u32, reserved, "0")                                                                                    \
    T(receiver, 256, "of the external key")                                                                  \
    T(key, 256, "external key")

#define TKD_FIELDS_ticket_list(N, T)                                                                         \
    N(u64, cursor, "0, or the `cursor` of the last answer")                                                  \
    N(u64, customer, "0 = any")                                                                              \
    N(u32, limit, "rows wanted, 1..1000; 0 = 100")                                                           \
    N(u32, agent, "0 = any")                                                                                 \
    N(u16, states, "bit n set: state n is wanted; 0 = any")                                                  \
    N(u16, queue, "0 = any")                                                                                 \
    N(u16, category, "0 = any")                                                                              \
    N(u16, channel, "0 = any")                                                                               \
    N(u8, priority, "0 = any")                                                                               \
    N(u8, unassigned, "1: only those that nobody holds")                                                     \
    N(u8, breached, "1: only those with a red card")                                                         \
    N(u8, reserved1, "0")                                                                                    \
    T(tag, 64, "empty = any")

#define TKD_FIELDS_ticket(N, T)                                                                              \
    N(u64, id, "partition << 52 | sequence")                                                                 \
    N(u64, created_ms, "")                                                                                   \
    N(u64, state_since_ms, "")                                                                               \
    N(u64, solved_ms, "last solve, 0 = never")                                                               \
    N(u64, customer, "customer id")                                                                          \
    N(u64, last_event, "the newest event of its history")                                                    \
    N(u64, first_reply_ms, "first-reply clock: time on the clock so far")                                    \
    N(u64, first_reply_due_ms, "deadline if the clock runs, else 0")                                         \
    N(u64, resolution_ms, "resolution clock: time on the clock so far")                                      \
    N(u64, resolution_due_ms, "deadline if the clock runs, else 0")                                          \
    N(u64, step_due_ms, "deadline of the open task, else 0")                                                 \
    N(u64, entered_ms, "when the open task entered its queue")                                               \
    N(u32, version, "")                                                                                      \
    N(u32, agent, "0 = nobody")                                                                              \
    N(u16, queue, "")                                                                                        \
    N(u16, category, "")                                                                                     \
    N(u16, channel, "")                                                                                      \
    N(u16, policy, "SLA policy, 0 = none")                                                                   \
    N(u16, stations, "tasks so far")                                                                         \
    N(u16, reopens, "")                                                                                      \
    N(u16, urges, "")                                                                                        \
    N(u8, state, "")                                                                                         \
    N(u8, priority, "")                                                                                      \
    N(u8, paused, "1: paused by an operator")                                                                \
    N(u8, cards_first_reply, "0 none, 1 yellow, 2 red")                                                      \
    N(u8, cards_resolution, "0 none, 1 yellow, 2 red")                                                       \
    N(u8, cards_step, "0 none, 1 yellow, 2 red; of the open task")                                           \
    N(u8, archived, "1: it has left memory")                                                                 \
    N(u8, no_routing, "")                                                                                    \
    N(u16, reserved1, "0")                                                                                   \
    T(subject, 1024, "")                                                                                     \
    T(key, 256, "external id")                                                                               \
    T(address, 256, "the customer's identity")                                                               \
    T(tags, 2048, "separated by line feeds")

#define TKD_FIELDS_history(N, T)                                                                             \
    N(u64, ticket, "ticket id, or 0: `from` is an event and the customer's touches are wanted")              \
    N(u64, from, "0 = newest; else the `cursor` of the last answer")

#define TKD_FIELDS_event(N, T)                                                                               \
    N(u64, seq, "1.. without gaps")                                                                          \
    N(u64, time_ms, "")                                                                                      \
    N(u64, ticket, "0 = none")                                                                               \
    N(u64, previous, "seq of the ticket's event before this, 0 = the first")                                 \
    N(u64, cause, "number of the command (op) that raised it")                                               \
    N(u64, link, "by kind")                                                                                  \
    N(u32, station, "number of the ticket's task")                                                           \
    N(u32, actor, "agent, 0 = the desk itself or unknown")                                                   \
    N(u32, a, "by kind")                                                                                     \
    N(u32, b, "by kind")                                                                                     \
    N(u32, c, "by kind")                                                                                     \
    N(u32, d, "by kind")                                                                                     \
    N(u32, e, "by kind")                                                                                     \
    T(text, 393216, "by kind")

#define TKD_FIELDS_entity_list(N, T)                                                                         \
    N(u32, from, "ids from here on")                                                                         \
    N(u32, limit, "rows wanted, 1..1000; 0 = 1000")

#define TKD_FIELDS_queue_row(N, T)                                                                           \
    N(u32, id, "")                                                                                           \
    N(u32, waiting, "tasks that wait for an agent")                                                          \
    N(u32, assigned, "open tasks held by agents")                                                            \
    N(u32, suspended, "tasks of pending, held or paused tickets that nobody holds")                          \
    N(u64, oldest_ms, "when the oldest waiting task entered, 0 = none waits")                                \
    N(u32, members, "agents who serve it")                                                                   \
    N(u32, present, "of those, present")                                                                     \
    N(u32, reserved, "0")                                                                                    \
    T(name, 120, "")

#define TKD_FIELDS_agent_row(N, T)                                                                           \
    N(u32, id, "")                                                                                           \
    N(u32, presence, "")                                                                                     \
    N(u32, load, "tasks of new and open tickets held")                                                       \
    N(u32, held, "all open tasks held")                                                                      \
    N(u32, capacity, "0 = no limit")                                                                         \
    N(u32, reserved, "0")                                                                                    \
    N(u64, last_assigned_ms, "0 = never")                                                                    \
    N(u32, reserved2, "0")                                                                                   \
    T(name, 120, "")

#define TKD_FIELDS_customer_get(N, T)                                                                        \
    N(u64, customer, "customer id, or 0: by channel and address")                                            \
    N(u32, channel, "")                                                                                      \
    T(address, 256, "")

#define TKD_FIELDS_customer_row(N, T)                                                                        \
    N(u64, id, "")                                                                                           \
    N(u64, created_ms, "")                                                                                   \
    N(u64, last_touch, "event; the touches are a chain along `link`")                                        \
    N(u32, tier, "")                                                                                         \
    N(u32, touches, "")                                                                                      \
    N(u32, tickets, "")                                                                                      \
    N(u32, open_tickets, "")                                                                                 \
    N(u32, channel, "of the first identity")                                                                 \
    T(address, 256, "the first identity")

#define TKD_FIELDS_waiting_list(N, T)                                                                        \
    N(u32, queue, "queue id")                                                                                \
    N(u32, limit, "1..1000; 0 = 100")

#define TKD_FIELDS_catalog_read(N, T)                                                                        \
    N(u32, from, "ids from here on; the record's `kind` is the catalog kind")                                \
    N(u32, reserved, "0")

#define TKD_FIELDS_report(N, T)                                                                              \
    N(u64, from_ms, "inclusive, down to the hour")                                                           \
    N(u64, to_ms, "exclusive; 0 = no end")                                                                   \
    N(u64, cursor, "0, or the `cursor` of the last answer")                                                  \
    N(u32, dimension, "dimension")                                                                           \
    N(u32, sum, "1: the hours of a member are added up to one row a page, `hour_ms` is the first one's")

#define TKD_DIMENSIONS(E)                                                                                    \
    E(1, DESK, "desk", "the whole desk (id 1)")                                                              \
    E(2, QUEUE, "queue", "")                                                                                 \
    E(3, AGENT, "agent", "")                                                                                 \
    E(4, CHANNEL, "channel", "")                                                                             \
    E(5, CATEGORY, "category", "")                                                                           \
    E(6, PRIORITY, "priority", "")                                                                           \
    E(7, TIER, "tier", "")

/* What is counted, by hour and member of a dimension. */
#define TKD_COUNTERS(N)                                                                                      \
    N(u64, created, "tickets created")                                                                       \
    N(u64, entered, "creates and transfers into a queue")                                                    \
    N(u64, assigned, "assignments, by routing or by hand")                                                   \
    N(u64, routed, "assignments by routing")                                                                 \
    N(u64, waited_ms, "time from entering the queue to the assignment, summed")                              \
    N(u64, transferred, "transfers away")                                                                    \
    N(u64, solves, "resolved, or closed while unsolved")                                                     \
    N(u64, first_solves, "tickets solved for the first time")                                                \
    N(u64, first_resolution_ms, "created to first solve, summed")                                            \
    N(u64, handled_ms, "assignment to the end of the task, summed")                                          \
    N(u64, closed, "tickets closed")                                                                         \
    N(u64, cancelled, "tickets cancelled")                                                                   \
    N(u64, reopened, "reopens")                                                                              \
    N(u64, urged, "urges")                                                                                   \
    N(u64, replies, "public replies")                                                                        \
    N(u64, first_replies, "tickets that got their first public reply")                                       \
    N(u64, first_reply_ms, "created to first public reply, summed")                                          \
    N(u64, messages, "customer messages")                                                                    \
    N(u64, yellow_first_reply, "yellow cards of the first-reply clock")                                      \
    N(u64, red_first_reply, "red cards of the first-reply clock")                                            \
    N(u64, yellow_resolution, "yellow cards of the resolution clock")                                        \
    N(u64, red_resolution, "red cards of the resolution clock")                                              \
    N(u64, yellow_step, "yellow cards of tasks")                                                             \
    N(u64, red_step, "red cards of tasks")

#define TKD_FIELDS_report_row(N, T)                                                                          \
    N(u64, hour_ms, "begin of the hour (UTC)")                                                               \
    N(u32, dimension, "")                                                                                    \
    N(u32, id, "member of the dimension: queue id, agent id, priority…")                                     \
    TKD_COUNTERS(N)

#define TKD_FIELDS_metric(N, T)                                                                              \
    N(u64, value, "")                                                                                        \
    T(name, 200, "with a dot between group and member")                                                      \
    T(text, 256, "instead of a value, where it is no number")

#define TKD_FIELDS_events_from(N, T)                                                                         \
    N(u64, from, "first event wanted, 1 = the first of all; 0 = only what is new")                           \
    N(u32, limit, "EVENTS: rows wanted, 1..1000; 0 = 1000")                                                  \
    N(u32, reserved, "0")

#define TKD_FIELDS_backup(N, T)                                                                              \
    N(u32, reserved, "0")                                                                                    \
    T(name, 64, "of the new directory DATA/backups/NAME: letters, digits, . _ -")

/* R(name, what it is) */
#define TKD_RECORDS(R)                                                                                       \
    R(empty, "no members")                                                                                   \
    R(hello, "opens a connection")                                                                           \
    R(hello_reply, "what the server speaks")                                                                 \
    R(register, "asks for a session")                                                                        \
    R(session_id, "names a session")                                                                         \
    R(session, "where a session stands")                                                                     \
    R(catalog_entry, "one entry of the catalog; its `kind` is the catalog kind")                             \
    R(ticket_create, "a customer's request")                                                                 \
    R(ticket_update, "one command on one ticket; its `kind` is the verb")                                    \
    R(agent_presence, "an agent comes or goes")                                                              \
    R(customer_update, "what is known of a customer")                                                        \
    R(ticket_get, "names one ticket")                                                                        \
    R(ticket_list, "a filter over tickets, newest first")                                                    \
    R(ticket, "one ticket")                                                                                  \
    R(history, "the events of one ticket, or a customer's touches, newest first")                            \
    R(event, "something that happened; its `kind` is the event kind")                                        \
    R(entity_list, "a range of ids")                                                                         \
    R(queue_row, "a queue now")                                                                              \
    R(agent_row, "an agent now")                                                                             \
    R(customer_get, "names one customer")                                                                    \
    R(customer_row, "one customer")                                                                          \
    R(waiting_list, "the head of a queue's line")                                                            \
    R(catalog_read, "a range of catalog entries")                                                            \
    R(report, "a period of one dimension's counters")                                                        \
    R(report_row, "one hour of one member of a dimension")                                                   \
    R(metric, "one figure")                                                                                  \
    R(events_from, "a place in the event stream")                                                            \
    R(backup, "names a backup")

/* An op's class: control (answered by the server itself), command (logged, changes the desk, exactly once
 * in a session), query (reads). `count` is the most records a request may have.
 * O(number, NAME, "name", class, request record, answer record, count, doc) */
#define TKD_OPS(O)                                                                                           \
    O(1, HELLO, "hello", control, hello, hello_reply, 1, "the first frame of every connection")              \
    O(2, PING, "ping", control, empty, empty, 1, "answered at once")                                         \
    O(3, SUBSCRIBE, "subscribe", control, events_from, empty, 1,                                             \
      "from now on EVENTS frames with the flag `push` arrive, each event once and in order")                 \
    O(4, CHECKPOINT, "checkpoint", control, empty, empty, 1, "answered when a checkpoint begun now is stored")\
    O(5, BACKUP, "backup", control, backup, empty, 1, "a complete copy of the data directory, made while the desk runs")\
    O(10, REGISTER, "register", command, register, result, 1, "a new session; the result's id is its number")\
    O(11, UNREGISTER, "unregister", command, session_id, result, 1, "the session is not needed any more")    \
    O(12, CATALOG_APPLY, "catalog_apply", command, catalog_entry, result, 8191,                              \
      "changes the catalog: all records or, when one is refused, none")                                      \
    O(13, TICKET_CREATE, "ticket_create", command, ticket_create, result, 8191, "makes tickets")             \
    O(14, TICKET_UPDATE, "ticket_update", command, ticket_update, result, 8191, "commands on tickets")       \
    O(15, AGENT_PRESENCE, "agent_presence", command, agent_presence, result, 8191, "agents come and go")     \
    O(16, CUSTOMER_UPDATE, "customer_update", command, customer_update, result, 8191,                        \
      "tier and name; an open ticket meets the policy of the new tier at its next command")       \
    O(17, PULSE, "pulse", internal, empty, empty, 1, "in the log only: deadlines up to its time fire")       \
    O(32, ATTACH, "attach", query, session_id, session, 1,                                                   \
      "binds the session to this connection and fences the one that had it")                                 \
    O(33, STATUS, "status", query, empty, metric, 1, "figures of the server")                                \
    O(34, SUMMARY, "summary", query, empty, metric, 1, "figures of the desk since it exists")                \
    O(35, TICKET_GET, "ticket_get", query, ticket_get, ticket, 1, "")                                        \
    O(36, TICKET_LIST, "ticket_list", query, ticket_list, ticket, 1, "")                                     \
    O(37, HISTORY, "history", query, history, event, 1, "")                                                  \
    O(38, QUEUE_LIST, "queue_list", query, entity_list, queue_row, 1, "")                                    \
    O(39, AGENT_LIST, "agent_list", query, entity_list, agent_row, 1, "")                                    \
    O(40, WAITING_LIST, "waiting_list", query, waiting_list, ticket, 1, "")                                  \
    O(41, CUSTOMER_GET, "customer_get", query, customer_get, customer_row, 1, "")                            \
    O(42, CATALOG_READ, "catalog_read", query, catalog_read, catalog_entry, 1,                               \
      "entries with their ids; the first has the catalog's version as expected_version")                     \
    O(43, REPORT, "report", query, report, report_row, 1, "")                                                \
    O(44, EVENTS, "events", query, events_from, event, 1, "a page of the event stream")                      \
    O(45, DIGEST, "digest", query, empty, metric, 1, "checksum of the whole state (stops the desk while it is taken)")

#endif
