/* Sockets: what is done once a listener or once a connection. Bytes flow through io.h. */
#ifndef PORT_NET_H
#define PORT_NET_H

#include "base/base.h"

#define NET_NAME_BYTES 128u

struct net_listener {
    int fd;
    bool tcp;
    char name[NET_NAME_BYTES]; /* the address it really has: "127.0.0.1:40123", or the path */
};

/* "HOST:PORT" or "[HOST]:PORT"; port 0 takes a free one. Only loopback addresses. 0 or -errno with an
 * explanation and the remedy. */
i32 net_listen_tcp(struct net_listener *listener, const char *address, char *error, u32 error_bytes);
/* A socket file that nobody serves any more is replaced. */
i32 net_listen_unix(struct net_listener *listener, const char *path, char *error, u32 error_bytes);
/* A pending accept ends with an error; the descriptor stays open until net_listener_close(). */
void net_listener_stop(const struct net_listener *listener);
void net_listener_close(struct net_listener *listener);

void net_no_delay(int fd);
/* Nothing more will be sent: the peer reads what is under way, then its end. */
void net_shutdown_send(int fd);
/* Both directions: pending receives and sends end. */
void net_shutdown(int fd);
/* Says a last word as far as the socket takes it at once, and closes. */
void net_refuse(int fd, const void *data, u32 bytes);

#endif
