/*
 * Where to listen and where to go, as adit.conf(5) and as ssh(1) write it. The canonical text of what was taken is taken
 * again, and means the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/endpoint.h"
#include "config/expand.h"
#include "config/keys.h"
#include "config/pattern.h"
#include "config/ssh_spec.h"
#include "forward/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_canonical(const struct config_endpoint *endpoint, enum endpoint_role role)
{
	char *text = endpoint->kind == CONFIG_UNIX ? expand_quote(endpoint->text)
						   : mem_strdup(endpoint->text);
	struct config_endpoint again;

	must(endpoint_parse(text, role, "/", &again, NULL) == ERR_OK);
	must(endpoint_equal(endpoint, &again));
	endpoint_clear(&again);
	free(text);
}

static void check_endpoint(const char *text, enum endpoint_role role)
{
	struct config_endpoint endpoint;
	struct err e = ERR_INIT;

	if (endpoint_parse(text, role, "/fuzz", &endpoint, &e) < 0) {
		must(err_is_set(&e));
		return;
	}
	check_canonical(&endpoint, role);
	endpoint_clear(&endpoint);
}

static void check_forward(const char *text, enum ssh_forward_option option)
{
	const struct ssh_spec_scope scope = {.bind = SSH_BIND_LOOPBACK, .dir = "/fuzz"};
	struct config_forward forward;
	struct err e = ERR_INIT;

	if (ssh_forward_parse(text, option, &scope, &forward, &e) < 0) {
		must(err_is_set(&e));
		return;
	}
	must(forward_is_socks(&forward) == !forward.to.text);
	bool takes_names =
	    !forward_is_near(&forward) ||
	    (forward.listen.kind == CONFIG_TCP && !endpoint_can_listen_near(forward.listen.host));
	check_canonical(&forward.listen, takes_names ? ENDPOINT_LISTEN_FAR : ENDPOINT_LISTEN_NEAR);
	keys_clear(&keys_forward, &forward);
}

static void check_destination(const char *text)
{
	struct ssh_destination destination;

	if (ssh_destination_parse(text, &destination, NULL) == ERR_OK) {
		must(endpoint_host_is_valid(destination.host));
		ssh_destination_clear(&destination);
	}
	if (ssh_jump_parse(text, &destination, NULL) == ERR_OK) {
		must(endpoint_host_is_valid(destination.host));
		ssh_destination_clear(&destination);
	}
}

/* What the reader takes, the forward takes. */
static void check_lists(char *text)
{
	struct config_strings one = {.v = &text, .n = 1};
	struct config_forward config = {0};
	struct pattern_target target;
	struct err e = ERR_INIT;

	if (pattern_check_block(text, &e) == ERR_OK)
		config.allow = one;
	must(err_is_set(&e) == (config.allow.n == 0));
	err_clear(&e);
	if (pattern_parse_target(text, &target, &e) == ERR_OK) {
		pattern_target_clear(&target);
		config.allow_to = one;
	}
	must(err_is_set(&e) == (config.allow_to.n == 0));
	struct access *access = access_new(&config, NULL);
	must(access != NULL);
	access_free(access);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);

	for (int role = ENDPOINT_LISTEN_NEAR; role <= ENDPOINT_TO_FAR; role++)
		check_endpoint(text, (enum endpoint_role)role);
	for (int option = SSH_LOCAL_FORWARD; option <= SSH_DYNAMIC_FORWARD; option++)
		check_forward(text, (enum ssh_forward_option)option);
	check_destination(text);
	check_lists(text);
	free(text);
	return 0;
}
