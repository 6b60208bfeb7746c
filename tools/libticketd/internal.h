/* Inside libticketd: a client's parts.
 *
 * Invariants:
 *  - requests are a ring of frames, oldest first: sent and unanswered ones, then unsent ones, then the one
 *    being built; the socket is fed straight from them, so a lost connection loses nothing;
 *  - a session's commands keep their frame until the answer was delivered, byte for byte, to be sent again;
 *  - the frame delivered last stays in `received` until the next call; frames in it begin 8-byte aligned;
 *  - after a lost connection only tkd_reconnect() makes the client usable again.
 */
#ifndef LIBTICKETD_INTERNAL_H
#define LIBTICKETD_INTERNAL_H

#include "ticketd/client.h"

#define REQUESTS_MAX        1024u
#define ERROR_BYTES         512u
#define ADDRESS_BYTES       256u
#define NAME_BYTES_MAX      128u
#define UNSENT_BYTES_FLUSH  (64u << 10) /* small frames coalesce up to here */
#define UNSENT_BYTES_MAX    (4u << 20)  /* then tkd_send waits for the socket */
#define RECEIVED_BYTES_MAX  (64u << 20) /* answers nobody has asked for yet */
#define EXCHANGE_TIMEOUT_MS 10000

struct request {
    u8 *bytes; /* frame; NULL until the slot is first used, kept for the next one */
    u32 bytes_max;
    u32 size;
    bool session;   /* a command of the session */
    bool overtaken; /* sent behind a command that was not applied: it will not be applied either */
    bool local;     /* its answer is made here: SEQUENCE_GAP, as the server would */
};

struct tkd_client {
    int fd;     /* -1: not connected */
    bool ready; /* greeted and attached: requests may be sent */
    char address[ADDRESS_BYTES];
    char name[NAME_BYTES_MAX + 1];
    char error[ERROR_BYTES];
    struct tkd_hello_reply hello;

    struct tkd_session session; /* as attached; .session 0 = none */
    u64 next_seq;               /* of the session's next command */
    u64 next_pairing;           /* seq of the next frame without session */

    struct request requests[REQUESTS_MAX];
    u32 first;         /* slot of the oldest one */
    u32 count;         /* complete ones */
    u32 count_session; /* of those, commands of the session */
    u32 sent;          /* of those, handed to the socket completely */
    u32 sent_bytes;    /* of the next one, what the socket has taken */
    u64 unsent_bytes;
    bool building;
    u32 building_record;
    u32 building_records_max;

    u8 *received;
    u32 received_max;
    u32 received_at; /* the next frame */
    u32 received_end;
    bool received_eof;
    struct tkd_frame local; /* an answer made here */
};

static inline struct request *request_at(struct tkd_client *client, u32 index)
{
    return &client->requests[(client->first + index) % REQUESTS_MAX];
}
static inline struct tkd_frame *request_frame(struct request *request)
{
    return (struct tkd_frame *)request->bytes;
}

/* Notes the explanation and returns `code`. */
int client_fail(struct tkd_client *client, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- socket.c ---- */

int socket_connect(struct tkd_client *client);
/* Forgets the connection and what had arrived on it. */
void socket_close(struct tkd_client *client);
/* Gives the socket what it takes now. */
int socket_send(struct tkd_client *client);
/* Waits until something has arrived, and sends meanwhile. 1 arrived, 0 timeout, < 0. A lost connection is
 * told only after all that arrived before has been taken. */
int socket_wait(struct tkd_client *client, int timeout_ms);
/* Sends these bytes at once, waiting for the socket. */
int socket_send_all(struct tkd_client *client, const void *data, u32 bytes);
/* The next whole frame that has arrived, verified, or NULL. It stays valid until the next socket_wait(). */
int socket_frame(struct tkd_client *client, const struct tkd_frame **frame);

/* ---- request.c ---- */

/* Writes one record; returns its size, or 0 when it does not fit into `room`. A text that is too long:
 * UINT32_MAX and its member. */
u32 record_write(u8 *at, u32 room, u32 record, const void *head, const struct tkd_text *texts,
                 const struct tkd_field **too_long);
/* The request that an answer belongs to: its index, or -1. */
i32 request_find(struct tkd_client *client, u16 op, u64 seq);
/* Its answer is being delivered: drops it, and follows what the status says of the session's sequence. */
void request_answered(struct tkd_client *client, u32 index, u32 status);
/* The connection was lost: forgets what cannot be repeated (returns how many) and makes the session's
 * commands unsent again. */
u32 requests_rewind(struct tkd_client *client);
void requests_free(struct tkd_client *client);

/* ---- session.c ---- */

/* One small frame and its answer, past the ring: HELLO, REGISTER, ATTACH. */
int session_exchange(struct tkd_client *client, u16 op, u32 record, const void *head,
                     const struct tkd_text *texts, struct tkd_answer *answer);
int session_hello(struct tkd_client *client);

#endif
