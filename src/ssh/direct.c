#include "ssh/direct.h"

#define NOBODYS_ADDRESS "127.0.0.1"
enum { NOBODYS_PORT = 65535 };

static void write_tcpip(struct wr *w, const struct direct_target *target)
{
	wr_cstring(w, target->host); /* host to connect */
	wr_u32(w, target->port);     /* port to connect */
	wr_cstring(w, target->originator ? target->originator : NOBODYS_ADDRESS);
	wr_u32(w, target->originator ? target->originator_port : NOBODYS_PORT);
}

static void write_streamlocal(struct wr *w, const struct direct_target *target)
{
	wr_cstring(w, target->path); /* socket path */
	wr_cstring(w, "");           /* reserved */
	wr_u32(w, 0);                /* reserved */
}

struct channel *session_open_direct(struct session *s, const struct direct_target *target,
    const struct channel_callbacks *callbacks, void *arg, struct err *e)
{
	struct wr extra = WR_INIT;

	if (target->path)
		write_streamlocal(&extra, target);
	else
		write_tcpip(&extra, target);
	struct channel *c = session_open_channel(s,
	    target->path ? "direct-streamlocal@openssh.com" : "direct-tcpip", wr_span(&extra),
	    callbacks, arg, e);
	wr_clear(&extra);
	return c;
}
