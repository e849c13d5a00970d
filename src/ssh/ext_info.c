#include "ssh/ext_info.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ssh/messages.h"

/* OpenSSH sends three or four; a message full of empty ones must not keep us busy. */
enum { EXTENSIONS_MAX = 1024 };

static const struct {
	const char *name;
	unsigned bit;
} known[] = {
    {"ping@openssh.com", EXTENSION_PING},
    {"publickey-hostbound@openssh.com", EXTENSION_HOSTBOUND},
};

void ext_info_clear(struct ext_info *info)
{
	free(info->server_sig_algs);
	*info = (struct ext_info){0};
}

/* What one message says, as views into it. */
struct said {
	struct span server_sig_algs; /* p NULL: nothing */
	unsigned extensions;
};

static void read_one(struct rd *r, struct said *said)
{
	struct span name = rd_string(r);
	struct span value = rd_string(r);

	if (span_is(name, "server-sig-algs")) {
		/* A value may hold any bytes (RFC 8308 §2.5); in a list of names they make no sense. */
		if (!span_is_text(value))
			rd_fail(r);
		said->server_sig_algs = value;
	}
	/* Their value is a version; OpenSSH has had "0" alone. */
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (span_is(name, known[i].name) && span_is(value, "0"))
			said->extensions |= known[i].bit;
}

int ext_info_read(struct ext_info *info, struct span message, struct err *e)
{
	struct said said = {0};
	struct rd r;

	rd_init(&r, message);
	rd_u8(&r);
	uint32_t count = rd_u32(&r);
	if (count > EXTENSIONS_MAX)
		rd_fail(&r);
	for (uint32_t i = 0; i < count && rd_ok(&r); i++)
		read_one(&r, &said);
	if (rd_end(&r) < 0)
		return err_set(e, ERR_PEER, "the server sent a malformed EXT_INFO message");
	if (said.server_sig_algs.p) {
		free(info->server_sig_algs);
		info->server_sig_algs = span_strdup(said.server_sig_algs);
	}
	info->extensions |= said.extensions;
	return 0;
}

bool ext_info_has(const struct ext_info *info, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (span_is(span_of(name), known[i].name))
			return info->extensions & known[i].bit;
	return false;
}

void ext_info_write_ours(struct wr *message)
{
	wr_u8(message, SSH_MSG_EXT_INFO);
	wr_u32(message, 1);
	wr_cstring(message, "ext-info-in-auth@openssh.com");
	wr_cstring(message, "0");
}
