/*
 * Key revocation lists; and announcements of host keys (hostkeys-00@openssh.com), where the list is no list.
 */
#include <stdlib.h>

#include "base/str.h"
#include "ssh/hostkey.h"
#include "ssh/krl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A host certificate by ssh-keygen, serial 42, key ID "host id". */
static const char certificate[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIJYsIHlvAby/1rq1nk01PgeyMxFU"
    "PBykkfGfkSVo65oBAAAAIJAOIbuIKquecTbLTqh9Va08QW4S5RL0NocvF1PLlgLBAAAAAAAAACoAAAAC"
    "AAAAB2hvc3QgaWQAAAAgAAAADmRiLmV4YW1wbGUuY29tAAAACiouaW50ZXJuYWwAAAAAAAAAAP//////"
    "////AAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACClrsFd07Nv3d7DeU6B8NiaW6fjQ3ha"
    "cqjV5B7btIOYwQAAAFMAAAALc3NoLWVkMjU1MTkAAABAw/8KKsTX+vOW+J4ka2MW/ZnQ99Mct20bVSBR"
    "6PBNKEgI0hM2b+DJPdPcto3h2bTk9eabAD6mQ4OJjsRU6BGgBw==";

static void must(bool held)
{
	if (!held)
		abort();
}

static struct cert *the_certificate(void)
{
	static struct cert *cert;
	struct wr blob = WR_INIT;

	if (!cert) {
		must(str_base64_decode(span_of(certificate), &blob));
		cert = cert_from_blob(wr_span(&blob), NULL);
		wr_clear(&blob);
		must(cert != NULL);
	}
	return cert;
}

static void announce(struct span message)
{
	struct hostkey_options options = {.name = "x", .port = 22, .address = "x"};
	struct hostkey_policy *policy = hostkey_policy_new(&options, NULL);
	struct span new_keys[HOSTKEY_ANNOUNCED_MAX];

	/* Nothing was verified: nothing may change. */
	must(hostkey_policy_announced(policy, message, new_keys) <= 0);
	hostkey_policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = SPAN(data, size);
	struct err e = ERR_INIT;
	int rc = krl_check(text, &e);

	must((rc < 0) == err_is_set(&e));
	must(rc < 0 || krl_is_krl(text));
	if (rc == 0) {
		const struct cert *cert = the_certificate();
		bool by_key = krl_revokes(text, key_blob(cert_key(cert)), NULL);
		/* A certificate is in no list less than its key. */
		must(!by_key || krl_revokes(text, key_blob(cert_key(cert)), cert));
	}
	announce(text);
	return 0;
}
