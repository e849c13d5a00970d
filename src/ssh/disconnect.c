#include "ssh/disconnect.h"

#include "base/str.h"

enum { TEXT_MAX = 512 };

void disconnect_write(struct wr *message, enum disconnect_code code, const char *text)
{
	wr_u8(message, SSH_MSG_DISCONNECT);
	wr_u32(message, code);
	wr_cstring(message, text);
	wr_cstring(message, ""); /* language */
}

/* Of the codes of RFC 4253 §11.1: what passes by itself, what only a person can mend, and else the peer's displeasure. */
static enum error_class class_of(uint32_t code, enum disconnect_when when)
{
	switch (code) {
	case DISCONNECT_PROTOCOL_ERROR:
	case DISCONNECT_KEY_EXCHANGE_FAILED:
	case DISCONNECT_HOST_KEY_NOT_VERIFIABLE:
		return when == DISCONNECT_BEFORE_LOGIN ? ERR_LOGIN : ERR_PEER;
	case DISCONNECT_CONNECTION_LOST:
	case DISCONNECT_BY_APPLICATION:
	case DISCONNECT_TOO_MANY_CONNECTIONS:
		return ERR_NETWORK;
	case DISCONNECT_AUTH_CANCELLED_BY_USER:
	case DISCONNECT_NO_MORE_AUTH_METHODS:
	case DISCONNECT_ILLEGAL_USER_NAME:
		return ERR_LOGIN;
	default:
		return ERR_PEER;
	}
}

int disconnect_read(struct span message, enum disconnect_when when, struct err *e)
{
	struct strbuf text = {0};
	struct rd r;

	rd_init(&r, message);
	rd_u8(&r);
	uint32_t code = rd_u32(&r);
	struct span words = rd_string(&r);
	enum error_class class = class_of(code, when);

	strbuf_add_escaped(&text, SPAN(words.p, words.n < TEXT_MAX ? words.n : TEXT_MAX));
	err_set(e, class, "the server disconnected: \"%s\" (code %u)", strbuf_text(&text), code);
	strbuf_clear(&text);
	return class;
}
