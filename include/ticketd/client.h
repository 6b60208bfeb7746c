/* libticketd: a client of ticketd.
 *
 * Blocking, one connection and at most one session per client, any number of requests in flight. Not
 * thread-safe: one client per thread. With a session every command is done exactly once: after a lost
 * connection (or a restarted server) tkd_reconnect() attaches the session again and sends all unanswered
 * requests once more; the server answers those that it had already done with their first answer.
 *
 *     struct tkd_client *client;
 *     if (tkd_connect(&client, "127.0.0.1:7411", "my-gateway 1.0")) die(tkd_error(client));
 *     tkd_session_open(client, "gateway-7", 0);
 *     tkd_begin(client, TKD_OP_TICKET_CREATE, 0, 0);
 *     struct tkd_ticket_create request = {.channel = 1, .queue = 4};
 *     tkd_add(client, TKD_RECORD_ticket_create, &request, (struct tkd_text[6]){{"+8613…", 14}, …});
 *     tkd_send(client);
 *     struct tkd_answer answer;
 *     tkd_receive(client, &answer);
 *
 * Functions return 0, or a negative number with tkd_error() saying what, why and what to do:
 * TKD_E_CONNECT (not connected, lost, cannot connect, server busy or stopping), TKD_E_REFUSED (the
 * server refused, answer.status), TKD_E_PROTOCOL (what arrived does not verify), TKD_E_USAGE (the call is wrong),
 * TKD_E_MEMORY.
 */
#ifndef TICKETD_CLIENT_H
#define TICKETD_CLIENT_H

#include "ticketd/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TKD_E_CONNECT = -1, TKD_E_REFUSED = -2, TKD_E_PROTOCOL = -3, TKD_E_USAGE = -4, TKD_E_MEMORY = -5 };

struct tkd_client;

/* A text to put into, or found in, a record. Not terminated by NUL. */
struct tkd_text {
    const char *data;
    u32 bytes;
};

/* An answer; valid until the next call with this client. `rows` is `count` results for commands, `count`
 * records for queries. */
struct tkd_answer {
    u16 op;
    u16 flags;
    enum tkd_status status; /* of the whole frame */
    u32 count;
    u64 seq;     /* of the request */
    u64 cursor;  /* queries: where to go on, 0 = finished */
    u64 time_ms; /* the desk's time */
    const void *rows;
    u32 rows_bytes;
};

/* "HOST:PORT" or "unix:PATH". Says HELLO. *client is set even on failure (to ask tkd_error), unless
 * TKD_E_MEMORY; free it with tkd_close. */
int tkd_connect(struct tkd_client **client, const char *address, const char *name);
void tkd_close(struct tkd_client *client);
const char *tkd_error(const struct tkd_client *client);
/* What the server said of itself. */
const struct tkd_hello_reply *tkd_hello(const struct tkd_client *client);

/* Registers a session, or finds the one of this name again, and attaches it. window 0 = the most. */
int tkd_session_open(struct tkd_client *client, const char *name, u32 window);
/* Where it stood when it was attached. */
const struct tkd_session *tkd_session(const struct tkd_client *client);
int tkd_session_close(struct tkd_client *client);
/* After TKD_E_CONNECT: connects again, attaches the session, sends the unanswered requests again. Tries
 * once; the caller decides how often and how long. Without a session unanswered requests are dropped and
 * TKD_E_REFUSED is returned if there were any. */
int tkd_reconnect(struct tkd_client *client);

/* ---- Requests ---- */
/* Begins a frame. `time_ms` 0, or the time under the virtual clock. */
int tkd_begin(struct tkd_client *client, u16 op, u16 flags, u64 time_ms);
/* Adds a record: `head` is the op's struct with its numbers set (size, head and the text lengths are filled
 * in), `texts` one per text member in order, NULL = all empty. TKD_E_USAGE when the frame is full. */
int tkd_add(struct tkd_client *client, u32 record, const void *head, const struct tkd_text *texts);
/* Bytes still free in the frame, and records in it. */
u32 tkd_frame_room(const struct tkd_client *client);
u32 tkd_frame_count(const struct tkd_client *client);
/* Closes the frame and queues it; commands of a session get its next seq. Sends what the socket takes. */
int tkd_send(struct tkd_client *client);
/* Requests sent and not answered yet. Commands of a session: at most its window. */
u32 tkd_in_flight(const struct tkd_client *client);
/* Waits for the next answer or pushed frame (flag PUSH). Answers come in the order of the requests. A frame
 * refused as a whole is delivered too (0 is returned): look at answer.status. */
int tkd_receive(struct tkd_client *client, struct tkd_answer *answer);
/* Is one there already, or does it arrive within `timeout_ms`? 1 yes, 0 no, < 0 error. */
int tkd_poll(struct tkd_client *client, int timeout_ms);
/* One request of one record and its answer; nothing else may be in flight. A refused frame is
 * TKD_E_REFUSED. */
int tkd_call(struct tkd_client *client, u16 op, u64 time_ms, u32 record, const void *head,
             const struct tkd_text *texts, struct tkd_answer *answer);

/* ---- Reading rows ---- */
/* The next row of the answer's record kind behind `row` (NULL = the first), or NULL. */
const struct tkd_prefix *tkd_next_row(const struct tkd_answer *answer, const void *row);
/* Copies a row's fixed head, zero-extended, into `head` (the struct of the record kind). */
void tkd_read(u32 record, const void *row, void *head);
/* A row's text by its number among the record's texts (0 = the first). */
struct tkd_text tkd_row_text(u32 record, const void *row, u32 text);

/* The file descriptor, for poll(2). */
int tkd_fd(const struct tkd_client *client);

#ifdef __cplusplus
}
#endif
#endif
