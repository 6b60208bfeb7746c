/* Subscribers: each event once and in order, pushed as soon as it is durable.
 *
 * A subscriber is a connection with a place in the stream (conn.event_next). Who is slow lags behind and is
 * served from the store; nothing waits for him, and who is up to date costs nothing while nothing happens.
 */
#ifndef EDGE_SUBSCRIBER_H
#define EDGE_SUBSCRIBER_H

#include "edge/service.h"

#define SUBSCRIBER_PUSH_BYTES   LIMIT(256u << 10, 4u << 10) /* to one in a turn, unless one event is larger */
#define SUBSCRIBER_TURN_BYTES   LIMIT(1u << 20, 16u << 10) /* to all subscribers in a turn, about */
#define SUBSCRIBER_UNSENT_BYTES LIMIT(512u << 10, 24u << 10) /* above it nothing more is pushed */

/* Pushes what may be shown. true: there is more for somebody who has room. */
bool subscribers_push(struct service *service);

#endif
