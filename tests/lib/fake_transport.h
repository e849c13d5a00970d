/*
 * A transport without a network: what is sent through it is kept, for a test to look at or for a second one to receive. Linked
 * in place of ssh/transport.c.
 */
#ifndef ADIT_TESTS_FAKE_TRANSPORT_H
#define ADIT_TESTS_FAKE_TRANSPORT_H

#include "ssh/session.h"
#include "ssh/transport.h"

struct transport *fake_transport_new(struct loop *loop);
void fake_transport_free(struct transport *t);
/* Whose transport it is. */
void fake_transport_set_session(struct transport *t, struct session *s);

/* As if it had come from the peer: what session_input() said. If that was an error the session hears that the transport has
 * closed, as it would. */
int fake_transport_feed(struct transport *t, struct span payload, struct err *e);
/* The peer sent something that is the transport's own. */
void fake_transport_heard(struct transport *t);

/* The oldest message that was sent and not looked at, until the next call; false when there is none. */
bool fake_transport_next(struct transport *t, struct span *ret_message);
size_t fake_transport_sent_count(const struct transport *t);   /* of those */
uint64_t fake_transport_bytes_sent(const struct transport *t); /* of all */

/* Of those only so many have arrived. */
void fake_transport_set_delivered(struct transport *t, uint64_t bytes);

/* As with a full output, or during a key exchange. Opening tells the session. */
void fake_transport_shut(struct transport *t);
void fake_transport_begin_rekey(struct transport *t);
void fake_transport_open(struct transport *t);
/* A rekey is due, and has not begun yet. */
void fake_transport_wear_out(struct transport *t);
/* As while a connection below exchanges keys, and at its end. */
void fake_transport_hold(struct transport *t);
void fake_transport_release(struct transport *t);
/* Shuts itself after so many more messages. */
void fake_transport_shut_after(struct transport *t, size_t messages);

/* From now on what one sends the other receives, at the end of the pass. */
void fake_transport_join(struct transport *a, struct transport *b);

void fake_transport_set_quirks(struct transport *t, unsigned quirks);
void fake_transport_set_extension(struct transport *t, const char *name); /* keeps; NULL: none */
enum transport_acks fake_transport_acks(const struct transport *t);
uint64_t fake_transport_rekey_patience(const struct transport *t);
size_t fake_transport_pass(const struct transport *t);
/* The bytes of bulk that it was told of since it was last told that it ends. */
uint64_t fake_transport_bulk(const struct transport *t);
/* As if something were always sent before it would be told to. */
void fake_transport_need_no_acknowledgement(struct transport *t, bool none);
unsigned fake_transport_acknowledged(const struct transport *t); /* how often it was told to */
/* The code that transport_disconnect() was called with, 0 if it was not. */
uint32_t fake_transport_disconnected(const struct transport *t);

#endif
