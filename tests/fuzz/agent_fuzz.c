/*
 * Answers of an agent. The first byte says what was asked.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "ssh/agent.h"
#include "ssh/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PASSES = 12, DEADLINE_MS = 1000 };

static struct loop *loop;
static int listener;
static char *path;

static void must(bool held)
{
	if (!held)
		abort();
}

static void remove_socket(void)
{
	unlink(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
	free(path);
	close(listener);
	loop_free(loop);
}

static void start(void)
{
	char folder[] = "/tmp/adit-agent-fuzz.XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	must(mkdtemp(folder) != NULL);
	path = str_format("%s/agent", folder);
	memcpy(address.sun_path, path, strlen(path));
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	must(listen(listener, 1) == 0);
	clock_fake_start(1000, 1750000000);
	loop = loop_new();
	atexit(remove_socket);
}

static void on_identities(
    void *arg, const struct agent_identity *identities, size_t count, const struct err *e)
{
	unsigned *calls = arg;

	(*calls)++;
	must(!e || (count == 0 && e->class == ERR_LOGIN));
	for (size_t i = 0; i < count; i++)
		(void)key_blob_type(identities[i].blob);
}

static void on_signature(void *arg, struct span signature, const struct err *e)
{
	unsigned *calls = arg;

	(*calls)++;
	must((e != NULL) == (signature.n == 0));
	must(e || span_is(key_blob_type(signature), "rsa-sha2-512"));
}

static void on_bound(void *arg, const struct err *e)
{
	unsigned *calls = arg;

	(*calls)++;
	must(!e || e->class == ERR_LOGIN);
}

static void run(void)
{
	for (int i = 0; i < PASSES; i++)
		loop_pass(loop, LOOP_NO_WAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned calls = 0;

	if (size == 0 || size > 65536)
		return 0;
	if (!loop)
		start();
	struct agent *agent = agent_new(loop, path, NULL);
	must(agent != NULL);
	int peer = accept(listener, NULL, NULL);
	if (data[0] & 2)
		agent_bind_login(agent, SPAN("k", 1), SPAN("i", 1), SPAN("s", 1));
	if (data[0] & 4)
		agent_bind_forwarded(
		    agent, SPAN("k", 1), SPAN("i", 1), SPAN("s", 1), DEADLINE_MS, on_bound, &calls);
	else if (data[0] & 1)
		agent_sign(agent, SPAN("k", 1), SPAN_LITERAL("rsa-sha2-512"), SPAN("d", 1),
		    DEADLINE_MS, on_signature, &calls);
	else
		agent_list(agent, DEADLINE_MS, on_identities, &calls);
	must(write(peer, data + 1, size - 1) == (ssize_t)(size - 1));
	run();
	/* Whatever it said, the request ends, once, in time. */
	loop_fake_advance(loop, DEADLINE_MS);
	run();
	must(calls == 1);
	close(peer);
	agent_free(agent);
	run();
	return 0;
}
