/* What the files of the scripted server share. */
#ifndef ADIT_TESTS_LIB_SERVER_INTERNAL_H
#define ADIT_TESTS_LIB_SERVER_INTERNAL_H

#include "base/map.h"
#include "base/str.h"
#include "ssh/kept.h"
#include "ssh/kex.h"
#include "ssh/packet.h"
#include "server.h"

struct server {
	struct loop *loop;
	struct bufferevent *bev;
	struct server_script script;
	struct kex *kex;
	struct packet_sealer *sealer;
	struct packet_opener *opener;
	char *client_ident;
	struct evbuffer *out; /* goes into bev a fragment a pass */
	struct task write_task;
	struct kept kept; /* for after the key exchange */
	bool silent, ended;
	unsigned exchanges;
	struct strbuf seen;
	struct strbuf complaint;
	uint32_t disconnect_code;
	struct map *channels; /* by our id, which is theirs */
	bool logged_in;
};

void server_complain(struct server *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* True: it was a message of the login. */
bool server_login_input(struct server *s, struct span payload);
bool server_channel_input(struct server *s, struct span payload);
/* A key exchange is over: data may go out again. */
void server_channels_resume(struct server *s);
void server_channels_clear(struct server *s);

#endif
