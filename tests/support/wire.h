/* Frames over a socket, by hand: every rule can be broken. */
#ifndef SUPPORT_WIRE_H
#define SUPPORT_WIRE_H

#include "core/frame.h"

/* A frame under construction. */
union wire_frame {
    struct tkd_frame head;
    _Alignas(8) u8 bytes[TKD_FRAME_BYTES_MAX + 8];
};

/* Connects to "127.0.0.1:PORT"; what does not answer in a minute fails the test. */
int wire_connect(const char *address);
/* Connects and says HELLO. */
int wire_open(const char *address);

void wire_begin(union wire_frame *frame, u16 op, u64 seq);
/* Adds a record: `head` with size and head filled in here, `texts` what stands behind it. Returns it. */
void *wire_add(union wire_frame *frame, const void *head, u32 head_bytes, const void *texts, u32 texts_bytes);
/* Seals. */
const struct tkd_frame *wire_seal(union wire_frame *frame);

void wire_write(int fd, const void *data, u64 bytes);
/* Seals and sends. */
void wire_send(int fd, union wire_frame *frame);
/* The next answer, verified; valid until the next call. NULL: the server has closed. */
const struct tkd_frame *wire_receive(int fd);
/* Sends, receives, and checks that the answer is that of the request. */
const struct tkd_frame *wire_call(int fd, union wire_frame *frame);
/* The connection lives: PING is answered. */
void wire_ping(int fd);
const struct tkd_result *wire_results(const struct tkd_frame *answer);

/* A request of one session_id record (ATTACH, UNREGISTER), of no members (PING, STATUS…). */
void wire_session_frame(union wire_frame *frame, u16 op, u64 seq, u64 session);
void wire_empty_frame(union wire_frame *frame, u16 op, u64 seq);
/* Registers a session and attaches it. */
u64 wire_register(int fd, const char *name, u32 window);
enum tkd_status wire_attach(int fd, u64 session);

/* A small catalog: channel 1, queue 1 (claim), agent 1 (everywhere, no limit). */
void wire_catalog(int fd);
void wire_add_create(union wire_frame *frame, const char *key);
/* Creates one ticket; returns the answer's result. */
struct tkd_result wire_create(int fd, u64 session, u64 seq, const char *key);
/* The value of a metric of STATUS. */
u64 wire_metric(int fd, const char *name);

#endif
