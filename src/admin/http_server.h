/*
 * One evhttp behind one listener: small requests only, and a bound on how many clients are connected at a time. Who comes when it
 * is full waits in the kernel's queue until somebody leaves; an idle one is made to, after HTTP_SERVER_TIMEOUT_S, and so
 * is one whose request takes longer than that to come.
 */
#ifndef ADIT_ADMIN_HTTP_SERVER_H
#define ADIT_ADMIN_HTTP_SERVER_H

#include <event2/http.h>

#include "base/loop.h"
#include "net/addr.h"

enum { HTTP_SERVER_TIMEOUT_S = 10 };

struct http_server;

struct http_server_options {
	struct loop *loop;         /* keeps */
	const struct endpoint *at; /* borrows */
	mode_t mode;               /* of a Unix socket; 0: 0600 */
	size_t connections_max;
	void (*on_request)(struct evhttp_request *request, void *arg);
	void *arg;
};

/* NULL and e when it cannot listen there (net/listener.h). */
struct http_server *http_server_new(const struct http_server_options *options, struct err *e);
/* Nobody new comes in, the address is free for others; who is inside is served on. */
void http_server_close(struct http_server *server);
/* Cuts off who is inside: never from within a request of its own. NULL is legal. */
void http_server_free(struct http_server *server);

/* chmod of the Unix socket; ERR_LOCAL. */
int http_server_set_mode(struct http_server *server, mode_t mode, struct err *e) MUST_CHECK;
const struct addr *http_server_addr(const struct http_server *server); /* where it really listens */
/* False when the file of its Unix socket has gone, or is another one's. */
bool http_server_can_be_reached(const struct http_server *server);
struct evhttp *http_server_evhttp(struct http_server *server);

#endif
