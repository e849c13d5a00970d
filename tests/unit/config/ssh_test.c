/*
 * ssh's command lines and configuration as ours; and the writer, whose text reads back the same.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/diff.h"
#include "config/keys.h"
#include "config/read.h"
#include "config/ssh_command.h"
#include "config/ssh_config.h"
#include "config/ssh_spec.h"
#include "config/ssh_value.h"
#include "config/writer.h"

/* ---- forwards ---- */

static const struct spec {
	enum ssh_forward_option option;
	const char *text;
	const char *kind; /* NULL: refused */
	const char *listen, *to;
} specs[] = {
    {SSH_LOCAL_FORWARD, "8080:web:80", "local", "localhost:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "127.0.0.1:8080:web:80", "local", "127.0.0.1:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "*:8080:web:80", "local", "*:8080", "web:80"},
    {SSH_LOCAL_FORWARD, ":8080:web:80", "local", "*:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "[::1]:8080:[2001:db8::1]:80", "local", "[::1]:8080", "[2001:db8::1]:80"},
    {SSH_LOCAL_FORWARD, "8080:[::1]:80", "local", "localhost:8080", "[::1]:80"},
    {SSH_LOCAL_FORWARD, "myhost:8080:web:80", "local", "myhost:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "unix:8080:web:80", "local", "[unix]:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "0:web:80", "local", "localhost:0", "web:80"},
    {SSH_LOCAL_FORWARD, "8080/web/80", "local", "localhost:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "127.0.0.1/8080/web/80", "local", "127.0.0.1:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "::1/8080/web/80", "local", "[::1]:8080", "web:80"},
    {SSH_LOCAL_FORWARD, "/run/a.sock:web:80", "local", "unix:/run/a.sock", "web:80"},
    {SSH_LOCAL_FORWARD, "8080:/run/b.sock", "local", "localhost:8080", "unix:/run/b.sock"},
    {SSH_LOCAL_FORWARD, "[::1]:8080:/run/b.sock", "local", "[::1]:8080", "unix:/run/b.sock"},
    {SSH_LOCAL_FORWARD, "/run/a.sock:/run/b.sock", "local", "unix:/run/a.sock", "unix:/run/b.sock"},
    {SSH_LOCAL_FORWARD, "./a.sock:web:80", "local", "unix:/cwd/./a.sock", "web:80"},
    {SSH_LOCAL_FORWARD, "8080:/run/a\\:b", "local", "localhost:8080", "unix:/run/a:b"},
    {SSH_LOCAL_FORWARD, "8080:web:https", "local", "localhost:8080", "web:443"},
    {SSH_LOCAL_FORWARD, "8080:/1/x/2", "local", "localhost:8080", "unix:/1/x/2"},
    {SSH_LOCAL_FORWARD, "8080:unix:80", "local", "localhost:8080", "[unix]:80"},
    {SSH_LOCAL_FORWARD, "8080:systemd:80", "local", "localhost:8080", "[systemd]:80"},
    {SSH_REMOTE_FORWARD, "8080:web:80", "remote", "localhost:8080", "web:80"},
    {SSH_REMOTE_FORWARD, "8080:unix:80", "remote", "localhost:8080", "[unix]:80"},
    {SSH_REMOTE_FORWARD, "8080:systemd:80", "remote", "localhost:8080", "[systemd]:80"},
    {SSH_REMOTE_FORWARD, "unix:8080:web:80", "remote", "[unix]:8080", "web:80"},
    {SSH_REMOTE_FORWARD, "*:0:web:80", "remote", "*:0", "web:80"},
    {SSH_REMOTE_FORWARD, "/run/far.sock:/run/near.sock", "remote", "unix:/run/far.sock",
	"unix:/run/near.sock"},
    {SSH_REMOTE_FORWARD, "8080:./near.sock", "remote", "localhost:8080", "unix:/cwd/./near.sock"},
    {SSH_REMOTE_FORWARD, "1080", "remote_socks", "localhost:1080", NULL},
    {SSH_REMOTE_FORWARD, ":1080", "remote_socks", "*:1080", NULL},
    {SSH_REMOTE_FORWARD, "[::1]:1080", "remote_socks", "[::1]:1080", NULL},
    {SSH_REMOTE_FORWARD, "/run/far.sock", "remote_socks", "unix:/run/far.sock", NULL},
    {SSH_DYNAMIC_FORWARD, "1080", "socks", "localhost:1080", NULL},
    {SSH_DYNAMIC_FORWARD, "*:1080", "socks", "*:1080", NULL},
    {SSH_DYNAMIC_FORWARD, "[::]:1080", "socks", "[::]:1080", NULL},
    {SSH_DYNAMIC_FORWARD, "/run/a.sock", "socks", "unix:/run/a.sock", NULL},

    {SSH_LOCAL_FORWARD, "", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080:web", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080:web:80:x:y", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080:web:0", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080:web:65536", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080::80", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080:web:no-such-service", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "[::1:8080:web:80", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "[::1]8080:web:80", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "/run/a.sock", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "a/b:8080:web:80", NULL, NULL, NULL},
    {SSH_LOCAL_FORWARD, "8080:/run/a\tb", NULL, NULL, NULL},
    {SSH_REMOTE_FORWARD, "./far.sock:web:80", NULL, NULL, NULL},
    {SSH_REMOTE_FORWARD, "8080:web", NULL, NULL, NULL},
    {SSH_DYNAMIC_FORWARD, "1080:web:80", NULL, NULL, NULL},
    {SSH_DYNAMIC_FORWARD, "x", NULL, NULL, NULL},
};

static void test_forwards_are_what_ssh_takes(void **state)
{
	const struct ssh_spec_scope scope = {.bind = SSH_BIND_LOOPBACK, .dir = "/cwd"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		const struct spec *spec = &specs[i];
		struct config_forward forward = {0};
		struct err e = ERR_INIT;
		int rc = ssh_forward_parse(spec->text, spec->option, &scope, &forward, &e);
		if (!spec->kind) {
			if (rc != ERR_CONFIG)
				fail_msg("`%s` was taken", spec->text);
			assert_true(*e.text);
			continue;
		}
		if (rc != ERR_OK)
			fail_msg("`%s`: %s", spec->text, e.text);
		assert_string_equal(config_forward_kind_name(forward.kind), spec->kind);
		assert_string_equal(forward.listen.text, spec->listen);
		if (spec->to)
			assert_string_equal(forward.to.text, spec->to);
		else
			assert_null(forward.to.text);
		keys_clear(&keys_forward, &forward);
	}
}

static void test_gateway_ports_bind_all_addresses_here_but_not_there(void **state)
{
	const struct ssh_spec_scope scope = {.bind = SSH_BIND_ALL, .dir = "/"};
	struct config_forward forward;

	(void)state;
	assert_int_equal(
	    ssh_forward_parse("80:h:1", SSH_LOCAL_FORWARD, &scope, &forward, NULL), ERR_OK);
	assert_string_equal(forward.listen.text, "*:80");
	keys_clear(&keys_forward, &forward);
	assert_int_equal(
	    ssh_forward_parse("80:h:1", SSH_REMOTE_FORWARD, &scope, &forward, NULL), ERR_OK);
	assert_string_equal(forward.listen.text, "localhost:80");
	keys_clear(&keys_forward, &forward);
}

/* ---- destinations ---- */

static void assert_destination(const char *text, const char *user, const char *host, int port,
    int (*parse)(const char *, struct ssh_destination *, struct err *))
{
	struct ssh_destination found = {0};
	struct err e = ERR_INIT;

	if (!host) {
		assert_int_equal(parse(text, &found, &e), ERR_CONFIG);
		return;
	}
	assert_int_equal(parse(text, &found, &e), ERR_OK);
	if (user)
		assert_string_equal(found.user, user);
	else
		assert_null(found.user);
	assert_string_equal(found.host, host);
	assert_int_equal(found.port, port);
	ssh_destination_clear(&found);
}

static void test_destinations_have_users_and_uris_ports(void **state)
{
	(void)state;
	assert_destination("h", NULL, "h", 0, ssh_destination_parse);
	assert_destination("u@h", "u", "h", 0, ssh_destination_parse);
	assert_destination("u@realm@h", "u@realm", "h", 0, ssh_destination_parse);
	assert_destination("::1", NULL, "::1", 0, ssh_destination_parse);
	assert_destination("ssh://u@h:2222/", "u", "h", 2222, ssh_destination_parse);
	assert_destination("ssh://[::1]:22", NULL, "::1", 22, ssh_destination_parse);
	assert_destination("ssh://ro%40o%3at@h", "ro@o:t", "h", 0, ssh_destination_parse);
	assert_destination("ssh://u;fingerprint=x@h", "u", "h", 0, ssh_destination_parse);
	assert_destination("ssh://u%20v@h", "u v", "h", 0, ssh_jump_parse);
	assert_destination("ro%40ot@h", "ro%40ot", "h", 0, ssh_destination_parse);
	assert_destination("ssh://u%4@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("ssh://u%@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("ssh://u%g0@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("ssh://u%00@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("ssh://%2du@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("ssh://u%0a@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("ssh://;x@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("h:22", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("-h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("-u@h", NULL, NULL, 0, ssh_destination_parse);
	assert_destination("u@h:2222", "u", "h", 2222, ssh_jump_parse);
	assert_destination("[::1]:2222", NULL, "::1", 2222, ssh_jump_parse);
	assert_destination("::1", NULL, "::1", 0, ssh_jump_parse);
	assert_destination("h:0", NULL, NULL, 0, ssh_jump_parse);
	assert_destination("h:x", NULL, NULL, 0, ssh_jump_parse);
}

static void test_a_proxy_command_may_be_no_more_than_a_jump(void **state)
{
	static const struct {
		const char *command, *jump; /* NULL: it is not */
	} cases[] = {
	    {"ssh -W %h:%p bastion", "bastion"},
	    {"exec /usr/bin/ssh -qxa -l jo -p2222 -W [%h]:%p  bastion", "jo@bastion:2222"},
	    {"ssh jo@bastion -p 22 -W \"[%h]:%p\"", "jo@bastion:22"},
	    {"ssh -W '%h:%p' ssh://jo@bastion:22", "ssh://jo@bastion:22"},
	    {"ssh -W %h:%p 2001:db8::1", "[2001:db8::1]"},
	    {"ssh -q %r@bastion nc %h %p", "%r@bastion"},
	    {"ssh bastion /bin/netcat %h %p", "bastion"},
	    {"ssh -W %h:22 bastion", NULL},
	    {"ssh -F /other -W %h:%p bastion", NULL},
	    {"ssh -i key -W %h:%p bastion", NULL},
	    {"ssh -W %h:%p bastion nc %h %p", NULL},
	    {"ssh -W %h:%p bastion | tee log", NULL},
	    {"ssh -l jo -W %h:%p me@bastion", NULL},
	    {"ssh -p 1 -W %h:%p ssh://bastion:2", NULL},
	    {"ssh bastion nc -w 1 %h %p", NULL},
	    {"ssh bastion nc %h", NULL},
	    {"ssh bastion", NULL},
	    {"ssh -W", NULL},
	    {"ssh", NULL},
	    {"exec", NULL},
	    {" ", NULL},
	    {"nc -X connect -x proxy:3128 %h %p", NULL},
	    {"none", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *jump = ssh_value_jump(cases[i].command);
		if (!jump != !cases[i].jump || (jump && strcmp(jump, cases[i].jump) != 0))
			fail_msg("%s: %s", cases[i].command, jump ? jump : "no jump");
		free(jump);
	}
}

/* ---- command lines ---- */

struct parsed {
	struct config *config;
	struct config_errors errors, notes;
};

static void parsed_clear(struct parsed *p)
{
	config_unref(p->config);
	config_errors_clear(&p->errors);
	config_errors_clear(&p->notes);
}

/* Words are separated by spaces; a '~' in them stands for one. */
static struct parsed parse(const char *line)
{
	struct parsed p = {0};
	char *copy = mem_strdup(line), *rest = copy, *word, *arguments[64];
	int count = 0;

	while ((word = strtok_r(rest, " ", &rest))) {
		for (char *c = word; *c; c++)
			if (*c == '~')
				*c = ' ';
		arguments[count++] = word;
	}
	p.config = config_from_ssh_arguments(count, arguments, NULL, &p.errors, &p.notes);
	free(copy);
	assert_int_equal(p.config == NULL, p.errors.n > 0);
	return p;
}

static struct parsed parse_good(const char *line)
{
	struct parsed p = parse(line);

	if (p.errors.n > 0)
		fail_msg("%s: %s", line, p.errors.v[0].text);
	return p;
}

static void assert_round_trip(const struct config *config, const char *name)
{
	struct strbuf text = {0};
	struct config_errors errors = {0};

	config_write_text(config, &text);
	struct config *again = config_read_text(strbuf_text(&text), name, &errors);
	if (!again)
		fail_msg("%d: %s\n%s", errors.v[0].line, errors.v[0].text, strbuf_text(&text));
	struct config_plan *plan = config_diff(config, again);
	struct config_strings lines = {0};
	config_plan_lines(plan, &lines);
	if (plan->n > 0)
		fail_msg("%s\n%s", lines.v[0], strbuf_text(&text));
	assert_int_equal(plan->unchanged, config->tunnel_count);
	config_strings_clear(&lines);
	config_plan_free(plan);
	config_unref(again);
	strbuf_clear(&text);
}

static void test_a_command_line_is_a_host_and_a_tunnel(void **state)
{
	struct parsed p = parse_good(
	    "-N -f -L 5432:db:5432 me@bastion.example.com -R 80:web:8080 -p 2222 -D1080 -vT");
	const struct config_host *host = &p.config->hosts[0];
	const struct config_tunnel *tunnel = &p.config->tunnels[0];

	(void)state;
	assert_int_equal(p.config->host_count, 1);
	assert_string_equal(host->name, "bastion-example-com");
	assert_string_equal(host->address, "bastion.example.com");
	assert_string_equal(host->user, "me");
	assert_int_equal(host->port, 2222);
	assert_true(host->identity_is_default);
	assert_int_equal(p.config->tunnel_count, 1);
	assert_string_equal(tunnel->name, "bastion-example-com");
	assert_string_equal(tunnel->via.v[0], "bastion-example-com");
	assert_int_equal(tunnel->forward_count, 3);
	assert_int_equal(tunnel->forwards[2].kind, CONFIG_FORWARD_SOCKS);
	assert_int_equal(p.config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(p.notes.n, 1); /* -f */
	assert_non_null(strstr(p.notes.v[0].text, "-f: adit stays in the foreground"));
	parsed_clear(&p);
}

static void test_jumps_become_hosts_in_a_chain(void **state)
{
	struct parsed p = parse_good("-J a@one:2201,ssh://two:2202,10.0.0.3 -l me -D 1 four");

	(void)state;
	assert_int_equal(p.config->host_count, 4);
	assert_null(p.config->hosts[0].via);
	assert_string_equal(p.config->hosts[0].user, "a");
	assert_int_equal(p.config->hosts[0].port, 2201);
	assert_string_equal(p.config->hosts[1].via, "one");
	assert_int_equal(p.config->hosts[1].port, 2202);
	assert_string_equal(p.config->hosts[2].name, "host-10-0-0-3");
	assert_string_equal(p.config->hosts[2].via, "two");
	assert_string_equal(p.config->hosts[3].via, "host-10-0-0-3");
	assert_string_equal(p.config->hosts[3].user, "me");
	assert_string_equal(p.config->tunnels[0].via.v[0], "four");
	parsed_clear(&p);
}

static void test_the_same_host_twice_gets_two_names(void **state)
{
	struct parsed p = parse_good("-J h,h -D 1 h");

	(void)state;
	assert_string_equal(p.config->hosts[0].name, "h");
	assert_string_equal(p.config->hosts[1].name, "h-2");
	assert_string_equal(p.config->hosts[2].name, "h-3");
	assert_string_equal(p.config->hosts[2].via, "h-2");
	parsed_clear(&p);
}

static void test_the_letters_that_take_a_value_are_those_of_ssh(void **state)
{
	static const char with[] = "BbcDEeFIiJLlmOopPQRSWw", without[] = "46AaCfGgKkMNnqsTtVvXxYy%";

	(void)state;
	for (const char *p = with; *p; p++)
		assert_true(ssh_letter_takes_value(*p));
	for (const char *p = without; *p; p++)
		assert_false(ssh_letter_takes_value(*p));
}

static void test_a_host_named_like_a_value_reads_back(void **state)
{
	static const char *const names[] = {"true", "false", "TRUE", "False"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *line = str_format("-D 1 %s", names[i]);
		char *wanted = str_format("host-%s", names[i]);
		struct parsed p = parse_good(line);
		assert_string_equal(p.config->hosts[0].name, wanted);
		assert_string_equal(p.config->hosts[0].address, names[i]);
		assert_round_trip(p.config, "/elsewhere/z");
		parsed_clear(&p);
		free(wanted);
		free(line);
	}
}

static void test_options_become_keys(void **state)
{
	setenv("HOME", "/home/me", 1);
	struct parsed p =
	    parse_good("-o ServerAliveInterval=5 -oServerAliveCountMax=2 -o "
		       "ConnectTimeout~1m -o StrictHostKeyChecking=accept-new "
		       "-o UserKnownHostsFile=/k1~/k2 -i /id -i ${HOME}/id2 -o "
		       "CertificateFile=/id-cert.pub -o IdentitiesOnly=yes -o IdentityAgent=/agent "
		       "-o HostKeyAlias=alias -c aes128-ctr,aes256-ctr -m "
		       "hmac-sha2-256 -o KexAlgorithms=curve25519-sha256 "
		       "-o HostKeyAlgorithms=ssh-ed25519 -o RekeyLimit=1G~1h -b "
		       "192.0.2.1 -o Hostname=real.example.com -o User=first "
		       "-A -o RevokedHostKeys=/krl -o UpdateHostKeys=no -o "
		       "BatchMode=yes -o ExitOnForwardFailure=no "
		       "-o StreamLocalBindMask=0117 -L /s:h:1 -L 80:h:1 -g -o "
		       "localforward=81~[h]:2 second@alias");
	const struct config_host *host = &p.config->hosts[0];

	(void)state;
	assert_int_equal(host->keepalive_interval_ms, 5000);
	assert_int_equal(host->keepalive_count, 2);
	assert_int_equal(host->connect_timeout_ms, 60000);
	assert_int_equal(host->host_key_check, CONFIG_CHECK_ACCEPT_NEW);
	assert_int_equal(host->known_hosts.n, 3);
	assert_string_equal(host->known_hosts.v[1], "/k2");
	assert_string_equal(host->known_hosts.v[2], "/etc/ssh/ssh_known_hosts");
	assert_string_equal(host->identity.v[1], "/home/me/id2");
	assert_string_equal(host->certificate.v[0], "/id-cert.pub");
	assert_int_equal(host->agent, CONFIG_AGENT_PATH);
	assert_string_equal(host->agent_path, "/agent");
	assert_string_equal(host->host_key_alias, "alias");
	assert_int_equal(host->ciphers.n, 2);
	assert_string_equal(host->macs.v[0], "hmac-sha2-256");
	assert_string_equal(host->kex.v[0], "curve25519-sha256");
	assert_string_equal(host->host_key_algorithms.v[0], "ssh-ed25519");
	assert_int_equal(host->rekey_bytes, 1 << 30);
	assert_int_equal(host->rekey_interval_ms, 3600000);
	assert_string_equal(host->bind_address, "192.0.2.1");
	assert_string_equal(host->address, "real.example.com");
	assert_string_equal(host->name, "alias");
	assert_string_equal(host->user, "first");
	assert_true(host->forward_agent);
	assert_string_equal(host->revoked_keys.v[0], "/krl");
	assert_false(host->update_host_keys);
	assert_int_equal(p.notes.n, 0);
	const struct config_forward *forwards = p.config->tunnels[0].forwards;
	assert_int_equal(forwards[0].mode, 0660);
	assert_string_equal(forwards[1].listen.text, "*:80");
	assert_string_equal(forwards[2].listen.text, "*:81");
	assert_string_equal(forwards[2].to.text, "h:2");
	parsed_clear(&p);
}

/* The options that they stand for may come later. */
static void test_tokens_stand_for_what_the_whole_command_line_says(void **state)
{
	setenv("HOME", "/home/me", 1);
	struct parsed p = parse_good(
	    "-i /k/%h/%n/%r -o CertificateFile=/c/%p/%k/%% -o UserKnownHostsFile=/h/%h -o "
	    "IdentityAgent=/a/%r -o RevokedHostKeys=/r/%n -J %r@jump,j-%h:%p -o "
	    "HostName=%h.Example.com -l jo -p 2222 -o HostKeyAlias=key -o IdentitiesOnly=yes Web");
	const struct config_host *host = &p.config->hosts[2];

	(void)state;
	assert_int_equal(p.notes.n, 0);
	assert_string_equal(host->address, "web.Example.com");
	assert_string_equal(host->identity.v[0], "/k/web.example.com/Web/jo");
	assert_string_equal(host->certificate.v[0], "/c/2222/key/%");
	assert_string_equal(host->known_hosts.v[0], "/h/web.example.com");
	assert_string_equal(host->agent_path, "/a/jo");
	assert_string_equal(host->revoked_keys.v[0], "/r/Web");
	assert_string_equal(p.config->hosts[0].address, "jump");
	assert_string_equal(p.config->hosts[0].user, "jo");
	assert_string_equal(p.config->hosts[1].address, "j-web.example.com");
	assert_int_equal(p.config->hosts[1].port, 2222);
	parsed_clear(&p);

	setenv("SOCKETS", "/far/%d", 1);
	p = parse_good("-L /near/%r:/far/%h -L %d/a:${SOCKETS}/s -R /x%%p:/y -p 2222 -l jo h");
	const struct config_forward *forwards = p.config->tunnels[0].forwards;
	assert_string_equal(forwards[0].listen.path, "/near/jo");
	assert_string_equal(forwards[0].to.path, "/far/h");
	assert_string_equal(forwards[1].listen.path, "/home/me/a");
	assert_string_equal(forwards[1].to.path, "/far/%d/s");
	assert_string_equal(forwards[2].listen.path, "/x%p");
	parsed_clear(&p);
	p = parse("-L /near/%C:a:1 h");
	assert_string_equal(p.errors.v[0].text, "`/near/%C`: a token that is not known here");
	parsed_clear(&p);

	p = parse_good("-o ProxyCommand=ssh~-W~%h:%p~-p~7~%r@bastion -l jo h");
	assert_int_equal(p.notes.n, 0);
	assert_string_equal(p.config->hosts[0].address, "bastion");
	assert_string_equal(p.config->hosts[0].user, "jo");
	assert_int_equal(p.config->hosts[0].port, 7);
	assert_string_equal(p.config->hosts[1].via, "bastion");
	parsed_clear(&p);

	p = parse("-J %C h");
	assert_non_null(strstr(p.errors.v[0].text, "proxyjump %C: a token"));
	parsed_clear(&p);
}

static void test_values_mean_what_they_mean_to_ssh(void **state)
{
	struct parsed p = parse_good("-o ConnectTimeout=0 -o RekeyLimit=4294967296~0 -o "
				     "UserKnownHostsFile=\"/a~b\"~/c~'/d~e' h");
	const struct config_host *host = &p.config->hosts[0];

	(void)state;
	assert_int_equal(p.notes.n, 0);
	assert_int_equal(host->connect_timeout_ms, 10000);
	assert_true(host->rekey_bytes == (uint64_t)1 << 32);
	assert_string_equal(host->known_hosts.v[0], "/a b");
	assert_string_equal(host->known_hosts.v[1], "/c");
	assert_string_equal(host->known_hosts.v[2], "/d e");
	parsed_clear(&p);
	p = parse_good("-o UserKnownHostsFile=\"/a~b\" h");
	assert_string_equal(p.config->hosts[0].known_hosts.v[0], "/a b");
	assert_false(p.config->hosts[0].update_host_keys);
	parsed_clear(&p);
	p = parse_good("-o UserKnownHostsFile=/a -o UpdateHostKeys=yes h");
	assert_true(p.config->hosts[0].update_host_keys);
	parsed_clear(&p);
	setenv("AGENTS", "/run/agents", 1);
	p = parse_good("-o IdentityAgent=${AGENTS}/a h");
	assert_string_equal(p.config->hosts[0].agent_path, "/run/agents/a");
	parsed_clear(&p);
	p = parse_good("-o IdentityAgent=$AGENTS h");
	assert_string_equal(p.config->hosts[0].agent_path, "/run/agents");
	parsed_clear(&p);
	p = parse("-o RekeyLimit=18446744073709551615K h");
	assert_non_null(strstr(p.errors.v[0].text, "not a number of bytes"));
	parsed_clear(&p);
}

static void test_the_home_of_another_user_is_named_in_full(void **state)
{
	const struct passwd *pw = getpwuid(0);
	struct config_errors errors = {0}, notes = {0};
	char *tilde = str_format("-i~%s/.ssh/key", pw->pw_name);
	char *wanted = str_format("%s/.ssh/key", pw->pw_dir);
	char *arguments[] = {tilde, (char[]){"h"}};
	struct config *config =
	    config_from_ssh_arguments(ARRAY_LEN(arguments), arguments, NULL, &errors, &notes);

	(void)state;
	assert_non_null(config);
	assert_int_equal(notes.n, 0);
	assert_string_equal(config->hosts[0].identity.v[0], wanted);
	config_unref(config);

	arguments[0] = (char[]){"-i~no-such-user-here/key"};
	config = config_from_ssh_arguments(ARRAY_LEN(arguments), arguments, NULL, &errors, &notes);
	assert_non_null(config);
	assert_true(config->hosts[0].identity_is_default);
	assert_int_equal(notes.n, 1);
	assert_non_null(strstr(notes.v[0].text, "no such user"));
	config_unref(config);
	config_errors_clear(&notes);
	free(tilde);
	free(wanted);
}

static void test_what_cannot_be_carried_over_is_named(void **state)
{
	static const struct {
		const char *option, *note;
	} cases[] = {{"-o ProxyCommand=nc", "proxycommand nc: "}, {"-C", "compression yes: "},
	    {"-X", "forwardx11 yes: "}, {"-4", "addressfamily inet: "}, {"-F file", "-F: "},
	    {"-w 0", "-w: "}, {"-W h:1", "-W: "},
	    {"-o Ciphers=+aes128-cbc", "ciphers +aes128-cbc: "},
	    {"-o ExitOnForwardFailure=yes", "exitonforwardfailure yes: "},
	    {"-o Tunnel=yes", "tunnel yes: "}, {"-o BindInterface=eth0", "bindinterface eth0: "},
	    {"-o IdentityFile=%C", "identityfile %C: "}, {"-o LocalCommand=x", "localcommand x: "},
	    {"-o SetEnv=A=b", "setenv A=b: "}, {"-i none", "identityfile none: "},
	    {"-o VerifyHostKeyDNS=yes", "verifyhostkeydns yes"},
	    {"-o ForkAfterAuthentication=yes", "forkafterauthentication yes: adit stays"},
	    {"-o CheckHostIP=yes", "checkhostip yes: "}, {"-o IPQoS=ef", "ipqos ef: "},
	    {"-o TCPKeepAlive=no", "tcpkeepalive no: "},
	    {"-o CASignatureAlgorithms=ssh-ed25519", "casignaturealgorithms ssh-ed25519: "},
	    {"-o PubkeyAcceptedAlgorithms=+ssh-rsa", "pubkeyacceptedalgorithms +ssh-rsa: "},
	    {"-o ConnectTimeout=2h",
		"connecttimeout 7200: `connect_timeout` is 3600 then, the most that it can be"},
	    {"-o ServerAliveCountMax=0", "serveralivecountmax 0: `keepalive_count` is 1 then"},
	    {"-o PreferredAuthentications=password", "preferredauthentications password: "},
	    {"-o PreferredAuthentications=hostbased,keyboard-interactive,publickey",
		"preferredauthentications hostbased"},
	    {"-o PreferredAuthentications=gssapi-with-mic", "preferredauthentications gssapi"},
	    {"-o PubkeyAuthentication=no", "pubkeyauthentication no: "}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *line = str_format("%s -D 1 h", cases[i].option);
		struct parsed p = parse_good(line);
		if (p.notes.n != 1 ||
		    strncmp(p.notes.v[0].text, cases[i].note, strlen(cases[i].note)) != 0)
			fail_msg("%s: %zu notes", line, p.notes.n);
		parsed_clear(&p);
		free(line);
	}
}

/* Whoever is on the server may go where ssh would let him, and nowhere else. */
static void test_what_a_remote_proxy_may_open_is_carried_over_or_refused(void **state)
{
	static const struct {
		const char *option;
		const char *allowed[3]; /* none: anywhere */
		const char *refused;    /* what the error says */
	} cases[] = {
	    {"db.internal:5432~10.0.0.1:*", {"db.internal:5432", "10.0.0.1:*"}, NULL},
	    {"[2001:db8::1]:443~~*:80", {"[2001:db8::1]:443", "*:80"}, NULL},
	    {"any", {NULL}, NULL},
	    {"none", {NULL}, "may go nowhere"},
	    {"a:1~none", {NULL}, "may go nowhere"},
	    {"*.internal:1", {NULL}, "is no `host:port`"},
	    {"10.0.0.0/8:1", {NULL}, "is no `host:port`"},
	    {"a:1-9", {NULL}, "is no `host:port`"},
	    {"a:x", {NULL}, "is no port"},
	    {"a", {NULL}, "`host:port` is wanted"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *line =
		    str_format("-R 1 -D 2 -R 3 -R 4:h:5 -o PermitRemoteOpen=%s h", cases[i].option);
		struct parsed p = parse(line);
		if (cases[i].refused) {
			if (p.config || !strstr(p.errors.v[0].text, cases[i].refused))
				fail_msg("%s: %s", line, p.config ? "taken" : p.errors.v[0].text);
			parsed_clear(&p);
			free(line);
			continue;
		}
		assert_non_null(p.config);
		assert_int_equal(p.notes.n, 0);
		for (size_t f = 0; f < 4; f++) {
			const struct config_forward *forward = &p.config->tunnels[0].forwards[f];
			bool restricted = forward->kind == CONFIG_FORWARD_REMOTE_SOCKS;
			size_t n = 0;
			for (; restricted && cases[i].allowed[n]; n++)
				assert_string_equal(forward->allow_to.v[n], cases[i].allowed[n]);
			assert_int_equal(forward->allow_to.n, n);
		}
		assert_round_trip(p.config, "/elsewhere/z");
		parsed_clear(&p);
		free(line);
	}
	/* where no proxy is, it says nothing */
	struct parsed p = parse_good("-R 4:h:5 -o PermitRemoteOpen=none h");
	assert_int_equal(p.notes.n, 0);
	parsed_clear(&p);
}

/* Instead of libc's: "myhost" has two addresses, 127.1 is one, nothing else is known. */
int getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	static struct sockaddr_in v4 = {.sin_family = AF_INET};
	static struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	static struct addrinfo second = {.ai_addr = (void *)&v6, .ai_addrlen = sizeof(v6)};
	static struct addrinfo first = {.ai_addr = (void *)&v4, .ai_addrlen = sizeof(v4)};

	assert_null(service);
	inet_pton(AF_INET, strcmp(host, "127.1") == 0 ? "127.0.0.1" : "192.0.2.1", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
	if (strcmp(host, "127.1") != 0 && strcmp(host, "myhost") != 0)
		return EAI_NONAME;
	first.ai_next =
	    strcmp(host, "myhost") == 0 && hints->ai_family == AF_UNSPEC ? &second : NULL;
	*ret = hints->ai_family == AF_INET6 ? &second : &first;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

static void test_a_name_of_this_machine_is_each_of_its_addresses(void **state)
{
	static const struct {
		const char *line, *listen[2];
	} cases[] = {
	    {"-L myhost:1:h:2 h", {"192.0.2.1:1", "[2001:db8::1]:1"}},
	    {"-D myhost:1 -4 h", {"192.0.2.1:1", NULL}},
	    {"-L [myhost]:1:/s -6 h", {"[2001:db8::1]:1", NULL}},
	    {"-L 127.1:1:h:2 h", {"127.0.0.1:1", NULL}},
	    {"-R myhost:1:h:2 h", {"myhost:1", NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p = parse_good(cases[i].line);
		const struct config_tunnel *tunnel = &p.config->tunnels[0];
		assert_int_equal(tunnel->forward_count, cases[i].listen[1] ? 2 : 1);
		for (size_t f = 0; f < tunnel->forward_count; f++)
			assert_string_equal(tunnel->forwards[f].listen.text, cases[i].listen[f]);
		assert_round_trip(p.config, "/elsewhere/z");
		parsed_clear(&p);
	}
	/* in a file they stay, whatever becomes of the name */
	const struct ssh_config_source source = {0};
	struct parsed p = {0};
	p.config = config_from_ssh_config(
	    "user u\nhostname h\nport 22\nlocalforward [myhost]:80 [web]:80\n", "h", &source,
	    &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.config->tunnels[0].forward_count, 2);
	assert_int_equal(p.notes.n, 1);
	assert_non_null(strstr(p.notes.v[0].text, "those that the name has now"));
	parsed_clear(&p);
	p = parse("-L nobody:1:h:2 h");
	assert_string_equal(p.errors.v[0].text,
	    "`nobody:1`: `nobody` is no address of this machine: Name or service not known");
	parsed_clear(&p);
}

static void test_a_family_of_addresses_is_that_of_the_listeners_here(void **state)
{
	static const struct {
		const char *line, *listen;
	} cases[] = {
	    {"-4 -L 1:h:2 h", "127.0.0.1:1"},
	    {"-6 -L 1:h:2 h", "[::1]:1"},
	    {"-4 -D localhost:0 h", "127.0.0.1:0"},
	    {"-o AddressFamily=INET -L *:1:h:2 h", "0.0.0.0:1"},
	    {"-D 1 -o GatewayPorts=yes -6 h", "[::]:1"},
	    {"-4 -L 127.0.0.2:1:h:2 h", "127.0.0.2:1"},
	    {"-4 -R 1:h:2 h", "localhost:1"},
	    {"-o AddressFamily=any -L 1:h:2 h", "localhost:1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p = parse_good(cases[i].line);
		assert_string_equal(p.config->tunnels[0].forwards[0].listen.text, cases[i].listen);
		parsed_clear(&p);
	}
	struct parsed p = parse("-o AddressFamily=ipx -D 1 h");
	assert_null(p.config);
	parsed_clear(&p);
}

/* ssh tries all that the agent has, adit what `identity` names, when it names something. */
static void test_which_keys_of_the_agent_are_tried_is_named(void **state)
{
	static const struct {
		const char *line, *socket;
		const char *note; /* NULL: none */
	} cases[] = {
	    {"-i /k h", "/agent", "identitiesonly no"},
	    {"-i /k h", NULL, NULL},
	    {"-i /k h", "", NULL},
	    {"-i /k -o IdentityAgent=/a h", NULL, "identitiesonly no"},
	    {"-i /k -o IdentityAgent=none h", "/agent", NULL},
	    {"-i /k -o IdentitiesOnly=yes h", "/agent", NULL},
	    {"-o IdentitiesOnly=yes h", "/agent", "identitiesonly yes"},
	    {"-o IdentitiesOnly=no h", "/agent", NULL},
	    {"h", "/agent", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].socket)
			setenv("SSH_AUTH_SOCK", cases[i].socket, 1);
		else
			unsetenv("SSH_AUTH_SOCK");
		struct parsed p = parse_good(cases[i].line);
		if (p.notes.n != (cases[i].note != NULL) ||
		    (cases[i].note && !strstr(p.notes.v[0].text, cases[i].note)))
			fail_msg("%s, %s: %zu notes", cases[i].line, cases[i].socket, p.notes.n);
		parsed_clear(&p);
	}
	unsetenv("SSH_AUTH_SOCK");
}

static void test_faulty_command_lines_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *line, *says;
	} faulty[] = {
	    {"-D 1", "no destination"},
	    {"-L", "-L needs an argument"},
	    {"-L x h", "is not `[bind:]port:host:hostport`"},
	    {"-D 1 -% h", "-%: ssh has no such option"},
	    {"-D 1 h ls", "`adit exec` does"},
	    {"-D 1 -o Prot=2 h", "did you mean port?"},
	    {"-D 1 -o Port h", "without a value"},
	    {"-D 1 -p 0 h", "not a port"},
	    {"-D 1 -o StrictHostKeyChecking=no h", "refused"},
	    {"-D 1 -o stricthostkeychecking=off h", "accept-new"},
	    {"-D 1 -o ConnectTimeout=soon h", "not a time"},
	    {"-D 1 -c ?,* h", "adit has none of them"},
	    {"-D 1 -o StreamLocalBindMask=0777 h", "nobody could connect"},
	    {"-D 1 -o RekeyLimit=1X h", "not a number of bytes"},
	    {"-D 1 -J a,,b h", "jump host"},
	    {"-D 1 a:b", "is no `[user@]host`"},
	    {"-D 1 -L 1:h:2 -o ExitOnForwardFailure=yes h", "taken by `socks`"},
	    {"-D 1 -1 h", "-1: ssh has no such option"},
	    {"-D 1 -o IgnoreUnknown=Use*,!UseTime -o UseTime=1 h", "UseTime: ssh has no"},
	    {"-D 1 -o UseKeychain=yes -o IgnoreUnknown=UseKeychain h", "UseKeychain: ssh has no"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faulty); i++) {
		struct parsed p = parse(faulty[i].line);
		if (p.config || !strstr(p.errors.v[0].text, faulty[i].says))
			fail_msg("%s: %s", faulty[i].line, p.config ? "taken" : p.errors.v[0].text);
		parsed_clear(&p);
	}
}

static void test_a_command_line_of_autossh_is_one_of_ssh(void **state)
{
	static const char *const lines[] = {
	    "-M 0 -N -L 1:h:2 h", "-M20000 -L 1:h:2 h", "h -M 0 -L 1:h:2", "-N -M 0 h -L 1:h:2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct parsed p = parse_good(lines[i]);
		assert_string_equal(p.config->hosts[0].address, "h");
		assert_int_equal(p.config->tunnels[0].forward_count, 1);
		assert_int_equal(p.notes.n, 1);
		assert_non_null(strstr(p.notes.v[0].text, "-M: autossh's port"));
		parsed_clear(&p);
	}
	struct parsed p = parse_good("-M -L 1:h:2 h");
	assert_non_null(strstr(p.notes.v[0].text, "-M: tunnels of one daemon"));
	parsed_clear(&p);
}

/* ssh says that it cannot listen there, and goes on. */
static void test_of_two_forwards_on_one_place_the_first_is_made(void **state)
{
	static const struct {
		const char *line;
		size_t count;
		const char *note; /* NULL: none */
	} cases[] = {
	    {"-L 1:h:2 -L 1:h:2 -D 3 -D 3 -R 4 -R 4 h", 3, NULL},
	    {"-L 1:h:2 -L 1:h:3 h", 1, "localforward 1:h:3: `local` of localhost:1 listens there"},
	    {"-L *:1:h:2 -D 127.0.0.2:1 h", 1, "dynamicforward 127.0.0.2:1: `local` of *:1"},
	    {"-R 1:h:2 -R 1 h", 1, "remoteforward 1: `remote` of localhost:1"},
	    {"-L /tmp/s:h:2 -D /tmp/./s h", 1, "dynamicforward /tmp/./s: `local` of unix:/tmp/s"},
	    {"-L 1:h:2 -R 1:h:2 -R 0:h:1 -R 0:h:2 h", 4, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed p = parse_good(cases[i].line);
		assert_int_equal(p.config->tunnels[0].forward_count, cases[i].count);
		assert_int_equal(p.notes.n, cases[i].note != NULL);
		if (cases[i].note)
			assert_non_null(strstr(p.notes.v[0].text, cases[i].note));
		parsed_clear(&p);
	}
}

/* As they stand in old scripts; and what the user says may be unknown. */
static void test_what_ssh_takes_without_a_word_is_taken_so(void **state)
{
	static const char *const lines[] = {"-2 -N", "-o Protocol=2", "-o UseRoaming=no",
	    "-o Cipher=blowfish", "-o RSAAuthentication=yes", "-o DSAAuthentication=yes",
	    "-o IgnoreUnknown=UseKeychain -o UseKeychain=yes",
	    "-o IgnoreUnknown=x,use* -o UseKeychain=yes",
	    "-o PreferredAuthentications=gssapi-with-mic,publickey,password",
	    "-o ClearAllForwardings=no"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char *line = str_format("-D 1 %s h", lines[i]);
		struct parsed p = parse_good(line);
		if (p.notes.n > 0)
			fail_msg("%s: %s", line, p.notes.v[0].text);
		assert_int_equal(p.config->tunnel_count, 1);
		parsed_clear(&p);
		free(line);
	}
}

static void test_all_forwards_can_be_cleared(void **state)
{
	const struct ssh_config_source source = {0};
	struct parsed p = parse_good("-L 1:h:2 -o ClearAllForwardings=yes -D 2 h");

	(void)state;
	assert_int_equal(p.config->tunnel_count, 0);
	assert_int_equal(p.notes.n, 1);
	assert_non_null(strstr(p.notes.v[0].text, "clearallforwardings yes: "));
	parsed_clear(&p);

	/* what ssh prints has none any more: nothing is lost */
	p = (struct parsed){0};
	p.config = config_from_ssh_config("user u\nhostname h\nport 22\nclearallforwardings yes\n",
	    "h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.notes.n, 0);
	parsed_clear(&p);
}

/* Instead of libc's: a test can be somebody else. */
static uid_t user_id;

uid_t geteuid(void)
{
	return user_id;
}

static void test_who_has_no_name_must_say_as_whom_to_log_in(void **state)
{
	(void)state;
	for (user_id = 54321; getpwuid(user_id);)
		user_id++;
	struct parsed p = parse("-D 1 h");
	assert_int_equal(p.errors.n, 1);
	assert_non_null(strstr(p.errors.v[0].text, "`h` needs a user"));
	parsed_clear(&p);
	p = parse("-D 1 -J j u@h");
	assert_int_equal(p.errors.n, 1);
	assert_non_null(strstr(p.errors.v[0].text, "`j` needs a user"));
	parsed_clear(&p);
	p = parse_good("-D 1 -J v@j -l u h");
	assert_string_equal(p.config->hosts[1].user, "u");
	parsed_clear(&p);
	user_id = getuid();
}

static void test_without_forwards_there_is_no_tunnel(void **state)
{
	struct parsed p = parse_good("-- h");

	(void)state;
	assert_int_equal(p.config->host_count, 1);
	assert_int_equal(p.config->tunnel_count, 0);
	parsed_clear(&p);
}

static bool knows_only_ctr(const char *key, const char *name)
{
	return strcmp(key, "ciphers") != 0 || strcmp(name, "aes128-ctr") == 0;
}

static void test_unknown_algorithms_are_dropped_and_named(void **state)
{
	const struct config_algorithms algorithms = {.known = knows_only_ctr};
	char *arguments[] = {(char[]){"-caes128-cbc,aes128-ctr"}, (char[]){"h"}};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_arguments(2, arguments, &algorithms, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.config->hosts[0].ciphers.n, 1);
	assert_int_equal(p.notes.n, 1);
	assert_non_null(strstr(p.notes.v[0].text, "aes128-cbc"));
	parsed_clear(&p);
}

static bool knows_up_to_d(const char *key, const char *name)
{
	(void)key;
	return strlen(name) == 1 && *name >= 'a' && *name <= 'd';
}

static const char *defaults_are_abc(const char *key)
{
	(void)key;
	return "a,b,c";
}

/* As ssh changes its own list, this changes ours; where nothing is left of it, ours stays. */
static void test_a_change_of_algorithms_is_one_of_our_own(void **state)
{
	static const struct config_algorithms algorithms = {
	    .known = knows_up_to_d, .defaults = defaults_are_abc};
	static const struct {
		const char *option, *list; /* "": the default */
		const char *note;          /* NULL: none */
	} cases[] = {
	    {"-oCiphers=+d", "a,b,c,d", NULL},
	    {"-oCiphers=+d,b,d", "a,b,c,d", NULL},
	    {"-oCiphers=^d,b", "d,b,a,c", NULL},
	    {"-oCiphers=-b", "a,c", NULL},
	    {"-oCiphers=-?,!b", NULL, "adit has none of them"},
	    {"-oCiphers=-x*", "", NULL},
	    {"-oCiphers=+x", "", "ciphers x: adit does not have it"},
	    {"-oCiphers=+*", "", "ciphers *: not the name of an algorithm"},
	    {"-oCiphers=^a", "", NULL},
	    {"-oCiphers=a,b,c", "a,b,c", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *arguments[] = {mem_strdup(cases[i].option), (char[]){"h"}};
		struct parsed p = {0};
		p.config =
		    config_from_ssh_arguments(2, arguments, &algorithms, &p.errors, &p.notes);
		free(arguments[0]);
		if (!cases[i].list) {
			assert_non_null(strstr(p.errors.v[0].text, cases[i].note));
			parsed_clear(&p);
			continue;
		}
		struct strbuf list = {0};
		for (size_t j = 0; j < p.config->hosts[0].ciphers.n; j++)
			strbuf_addf(&list, "%s%s", j ? "," : "", p.config->hosts[0].ciphers.v[j]);
		assert_string_equal(strbuf_text(&list), cases[i].list);
		assert_int_equal(p.notes.n, cases[i].note != NULL);
		if (cases[i].note)
			assert_string_equal(p.notes.v[0].text, cases[i].note);
		strbuf_clear(&list);
		parsed_clear(&p);
	}
}

/* ssh prints the whole list. What it has by default, and more, was a change; fewer are all that is allowed. */
static void test_more_than_ssh_has_by_default_is_a_change(void **state)
{
	static const struct config_algorithms algorithms = {
	    .known = knows_up_to_d, .defaults = defaults_are_abc};
	const struct ssh_config_source source = {
	    .baseline =
		"ciphers y,c,z\nhostkeyalgorithms y,a\nmacs a,y,b\npubkeyacceptedalgorithms y\n",
	    .algorithms = &algorithms};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config(
	    "user u\nhostname h\nport 22\nciphers y,c,z,d\nhostkeyalgorithms y,a,x\nmacs a,b\n"
	    "pubkeyacceptedalgorithms y,x\n",
	    "h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	const struct config_host *host = &p.config->hosts[0];
	assert_int_equal(host->ciphers.n, 4);
	assert_string_equal(host->ciphers.v[3], "d");
	assert_int_equal(host->host_key_algorithms.n, 0);
	assert_int_equal(host->macs.n, 2);
	assert_int_equal(p.notes.n, 2);
	assert_string_equal(p.notes.v[0].text, "hostkeyalgorithms x: adit does not have it");
	assert_non_null(strstr(p.notes.v[1].text, "pubkeyacceptedalgorithms +x: "));
	parsed_clear(&p);
}

/* ---- ssh -G ---- */

static const char baseline[] =
    "host nobody\nuser me\nhostname nobody\nport 22\nserveraliveinterval 0\ncompression no\n"
    "ciphers chacha20-poly1305@openssh.com,aes128-ctr\nidentityfile ~/.ssh/id_rsa\n"
    "userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n"
    "stricthostkeychecking ask\n";

static const char alias_text[] =
    "host work\nuser jo\nhostname gate.example.com\nport 2222\nserveraliveinterval 7\ncompression "
    "no\n"
    "ciphers chacha20-poly1305@openssh.com,aes128-ctr\nidentityfile /id_work\nidentityfile "
    "~/.ssh/id_rsa\n"
    "userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\nstricthostkeychecking ask\n"
    "localforward 5432 [db.internal]:5432\nlocalforward [::1]:81 /run/far.sock\n"
    "remoteforward 1080 [socks]:0\nremoteforward /run/r.sock [localhost]:80\ndynamicforward "
    "[*]:1081\n"
    "proxyjump jump,me@second:2200\n";

static char *answer(void *arg, const char *destination, struct config_errors *errors)
{
	int *asked = arg;

	(*asked)++;
	if (strcmp(destination, "jump") == 0)
		return mem_strdup("hostname jump.example.com\nuser j\nport 22\nproxyjump outer\n");
	if (strcmp(destination, "outer") == 0)
		return mem_strdup("hostname outer.example.com\nuser o\nport 22\n");
	if (strcmp(destination, "me@second:2200") == 0)
		return mem_strdup(
		    "hostname second.example.com\nuser me\nport 2200\nproxyjump unused\n");
	if (strcmp(destination, "loop") == 0)
		return mem_strdup("hostname loop\nport 22\nproxyjump loop\n");
	config_errors_add(errors, NULL, 0, "ssh does not know %s", destination);
	return NULL;
}

static void test_an_alias_of_ssh_becomes_hosts_and_a_tunnel(void **state)
{
	int asked = 0;
	const struct ssh_config_source source = {answer, &asked, baseline, NULL};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config(alias_text, "work", &source, &p.errors, &p.notes);
	if (p.errors.n > 0)
		fail_msg("%s", p.errors.v[0].text);
	assert_int_equal(p.notes.n, 0);
	assert_int_equal(asked, 3);
	assert_int_equal(p.config->host_count, 4);
	assert_string_equal(p.config->hosts[0].name, "outer");
	assert_string_equal(p.config->hosts[1].name, "jump");
	assert_string_equal(p.config->hosts[1].via, "outer");
	assert_string_equal(p.config->hosts[2].address, "second.example.com");
	assert_string_equal(p.config->hosts[2].via, "jump");
	assert_int_equal(p.config->hosts[2].port, 2200);
	const struct config_host *work = &p.config->hosts[3];
	assert_string_equal(work->name, "work");
	assert_string_equal(work->address, "gate.example.com");
	assert_string_equal(work->user, "jo");
	assert_string_equal(work->via, "second");
	assert_int_equal(work->keepalive_interval_ms, 7000);
	assert_int_equal(work->ciphers.n, 0);
	assert_int_equal(work->identity.n, 2);
	assert_string_equal(work->identity.v[0], "/id_work");
	assert_non_null(strstr(work->identity.v[1], "/.ssh/id_rsa"));
	assert_int_equal(p.config->tunnels[0].forward_count, 5);
	const struct config_forward *forwards = p.config->tunnels[0].forwards;
	assert_string_equal(forwards[0].to.text, "db.internal:5432");
	assert_string_equal(forwards[1].listen.text, "[::1]:81");
	assert_int_equal(forwards[2].kind, CONFIG_FORWARD_REMOTE_SOCKS);
	assert_string_equal(forwards[3].listen.text, "unix:/run/r.sock");
	assert_string_equal(forwards[4].listen.text, "*:1081");
	parsed_clear(&p);
}

/* What is configured may be one of ssh's own: alone, it is the only one. */
static void test_identities_are_those_of_ssh_or_the_defaults(void **state)
{
	static const char defaults[] = "identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ecdsa\n";
	static const struct {
		const char *lines;
		size_t count; /* 0: the default */
		size_t notes;
	} cases[] = {
	    {"identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ecdsa\n", 0, 0},
	    {"identityfile ~/.ssh/id_rsa\n", 1, 0},
	    {"identityfile ~/.ssh/id_ecdsa\n", 1, 0},
	    {"identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/work\n", 2, 0},
	    {"identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ecdsa\nidentityfile /k\n", 3, 0},
	    {"identityfile none\n", 0, 1},
	    {"identityfile none\nidentityfile ~/.ssh/id_rsa\n", 1, 0},
	};

	(void)state;
	setenv("HOME", "/home/me", 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = str_format("user u\nhostname h\nport 22\n%s", cases[i].lines);
		const struct ssh_config_source source = {.baseline = defaults};
		struct parsed p = {0};

		p.config = config_from_ssh_config(text, "h", &source, &p.errors, &p.notes);
		assert_non_null(p.config);
		const struct config_host *host = &p.config->hosts[0];
		if (host->identity_is_default != (cases[i].count == 0) ||
		    (cases[i].count > 0 && host->identity.n != cases[i].count))
			fail_msg("%s: %zu identities", cases[i].lines, host->identity.n);
		assert_int_equal(p.notes.n, cases[i].notes);
		parsed_clear(&p);
		free(text);
	}
}

/* /dev/null stands for a key that is there. */
static void test_an_identity_that_is_not_there_is_left_out_beside_one_that_is(void **state)
{
	const struct ssh_config_source source = {0};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config("user u\nhostname h\nport 22\nidentityfile /none/a\n"
					  "identityfile /dev/null\nidentityfile /none/b\n",
	    "h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.config->hosts[0].identity.n, 1);
	assert_string_equal(p.config->hosts[0].identity.v[0], "/dev/null");
	assert_int_equal(p.notes.n, 2);
	assert_string_equal(p.notes.v[0].text, "identityfile /none/a: there is no such file");
	parsed_clear(&p);
}

static char *answer_of_tomorrow(void *arg, const char *destination, struct config_errors *errors)
{
	(void)arg;
	(void)destination;
	(void)errors;
	return mem_strdup("user u\nhostname j\nport 22\nquantumleap 7\n");
}

static char *answer_of_a_jump(void *arg, const char *destination, struct config_errors *errors)
{
	(void)arg;
	(void)destination;
	(void)errors;
	return mem_strdup(
	    "user u\nhostname j.example.com\nport 22\ncompression yes\nexitonforwardfailure yes\n"
	    "localforward no-address:80 [web]:80\nremoteforward /tmp/a b /tmp/c\n"
	    "remoteforward 1080 [socks]:0\npermitremoteopen none\nstreamlocalbindmask 0777\n");
}

static char *answer_with_a_proxy(void *arg, const char *destination, struct config_errors *errors)
{
	(void)arg;
	(void)destination;
	(void)errors;
	return mem_strdup("user u\nhostname j\nport 22\nproxycommand nc -x proxy %h %p\n");
}

static void test_how_a_later_jump_would_be_reached_alone_does_not_matter(void **state)
{
	const struct ssh_config_source source = {.ask = answer_with_a_proxy};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config(
	    "user u\nhostname h\nport 22\nproxyjump one,two\n", "h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.notes.n, 1);
	assert_non_null(strstr(p.notes.v[0].text, "jump host one: proxycommand nc"));
	assert_string_equal(p.config->hosts[1].via, "one");
	parsed_clear(&p);
}

/* ssh -W, with which ssh goes through a jump host, opens none of its forwards. */
static void test_what_a_jump_host_loses_is_said_of_it(void **state)
{
	const struct ssh_config_source source = {.ask = answer_of_a_jump};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config(
	    "user u\nhostname h\nport 22\ncompression yes\nproxyjump bastion,bastion\n", "h",
	    &source, &p.errors, &p.notes);
	if (p.errors.n > 0)
		fail_msg("%s", p.errors.v[0].text);
	assert_int_equal(p.notes.n, 2);
	assert_string_equal(p.notes.v[0].text, "compression yes: adit does not compress");
	assert_string_equal(
	    p.notes.v[1].text, "jump host bastion: compression yes: adit does not compress");
	assert_int_equal(p.config->tunnel_count, 0);
	parsed_clear(&p);
}

/* A newer ssh has newer keywords; what `ssh -o` would refuse of the user's own is another matter. */
static void test_what_ssh_prints_and_adit_does_not_know_is_a_note(void **state)
{
	const struct ssh_config_source source = {.ask = answer_of_tomorrow};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config("user u\nhostname h\nport 22\nproxyjump j\n"
					  "gssapikeyexchange yes\ngssapitrustdns yes\n"
					  "timetravel yes please\n",
	    "h", &source, &p.errors, &p.notes);
	if (p.errors.n > 0)
		fail_msg("%s", p.errors.v[0].text);
	assert_int_equal(p.notes.n, 2);
	assert_string_equal(p.notes.v[0].text, "timetravel yes please: adit does not know it");
	assert_non_null(strstr(p.notes.v[1].text, "quantumleap 7"));
	parsed_clear(&p);
	p = parse("-o timetravel=yes -D 1 h");
	assert_null(p.config);
	assert_string_equal(p.errors.v[0].text, "timetravel: ssh has no such option");
	parsed_clear(&p);
}

/* ssh has expanded the tokens. */
static void test_a_path_that_ssh_prints_is_taken_as_it_is(void **state)
{
	const struct ssh_config_source source = {.baseline = baseline};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config("user u\nhostname fe80::1%eth0\nport 22\n"
					  "localforward /tmp/%h/${x} /far/100%\n"
					  "remoteforward /tmp/a:b\\ /c:d\n"
					  "remoteforward /tmp/e:f [socks]:0\n",
	    "h", &source, &p.errors, &p.notes);
	if (!p.config)
		fail_msg("%s", p.errors.v[0].text);
	assert_int_equal(p.notes.n, 0);
	assert_string_equal(p.config->hosts[0].address, "fe80::1%eth0");
	const struct config_forward *forward = &p.config->tunnels[0].forwards[0];
	assert_string_equal(forward->listen.path, "/tmp/%h/${x}");
	assert_string_equal(forward->to.path, "/far/100%");
	assert_string_equal(forward[1].listen.path, "/tmp/a:b\\");
	assert_string_equal(forward[1].to.path, "/c:d");
	assert_string_equal(forward[2].listen.path, "/tmp/e:f");
	assert_int_equal(forward[2].kind, CONFIG_FORWARD_REMOTE_SOCKS);
	parsed_clear(&p);
}

/* `ssh -G` prints no quotes. */
static void test_paths_that_cannot_be_told_apart_are_a_note(void **state)
{
	const struct ssh_config_source source = {.baseline = baseline};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config("user u\nhostname h\nport 22\n"
					  "remoteforward /tmp/a b.sock /tmp/c\n"
					  "userknownhostsfile /home/me/a b\n"
					  "localforward 7001 [localhost]:80\n",
	    "h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.notes.n, 2);
	assert_non_null(strstr(p.notes.v[0].text, "a path with a space"));
	assert_non_null(strstr(p.notes.v[1].text, "b: a path with a space"));
	assert_int_equal(p.config->tunnels[0].forward_count, 1);
	parsed_clear(&p);
}

/* Whoever runs adit later, a service with a user of its own perhaps, logs in as the one who imported. */
static void test_the_user_is_written_even_if_it_is_who_imports(void **state)
{
	const struct ssh_config_source source = {.baseline = baseline};
	const char *me = getpwuid(geteuid())->pw_name;
	char *text = str_format("host h\nuser %s\nhostname h\nport 22\n", me);
	char *same = str_format("host nobody\nuser %s\nhostname nobody\nport 22\n", me);
	char *wanted = str_format("user = \"%s\";", me);
	struct strbuf written = {0};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config(
	    text, "h", &(struct ssh_config_source){.baseline = same}, &p.errors, &p.notes);
	assert_non_null(p.config);
	config_write_text(p.config, &written);
	assert_non_null(strstr(strbuf_text(&written), wanted));
	strbuf_clear(&written);
	parsed_clear(&p);

	/* and the one of the arguments, where the baseline has the same */
	p = (struct parsed){0};
	p.config = config_from_ssh_config(
	    "host h\nuser me\nhostname h\nport 22\n", "h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_string_equal(p.config->hosts[0].user, "me");
	parsed_clear(&p);
	free(text);
	free(same);
	free(wanted);
}

/* As OpenSSH 9.2 prints -L /tmp/x:/tmp/y -L 5:/var/run/y.sock -L 127.0.0.1:6:/z -L 7:web:80 -D 1080 -D 127.0.0.2:5. */
static const char paths_text[] =
    "hostname h\nport 22\ndynamicforward /tmp/x\ndynamicforward 5\n"
    "dynamicforward [127.0.0.1]:6\ndynamicforward 1080\ndynamicforward [127.0.0.2]:5\n"
    "localforward /tmp/x /tmp/y\nlocalforward 5 /var/run/y.sock\n"
    "localforward [127.0.0.1]:6 /z\nlocalforward 7 [web]:80\n";

static void test_a_forward_to_a_path_is_no_dynamic_one(void **state)
{
	static const struct {
		enum config_forward_kind kind;
		const char *listen;
	} wanted[] = {{CONFIG_FORWARD_SOCKS, "localhost:1080"},
	    {CONFIG_FORWARD_SOCKS, "127.0.0.2:5"}, {CONFIG_FORWARD_LOCAL, "unix:/tmp/x"},
	    {CONFIG_FORWARD_LOCAL, "localhost:5"}, {CONFIG_FORWARD_LOCAL, "127.0.0.1:6"},
	    {CONFIG_FORWARD_LOCAL, "localhost:7"}};
	const struct ssh_config_source source = {0};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config(paths_text, "h", &source, &p.errors, &p.notes);
	if (p.errors.n > 0)
		fail_msg("%s", p.errors.v[0].text);
	assert_int_equal(p.config->tunnels[0].forward_count, ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const struct config_forward *forward = &p.config->tunnels[0].forwards[i];
		assert_int_equal(forward->kind, wanted[i].kind);
		assert_string_equal(forward->listen.text, wanted[i].listen);
	}
	parsed_clear(&p);
}

/* -D 5 -L 5:/y: what ssh prints once more was asked for. */
static void test_a_dynamic_forward_beside_one_to_a_path_stays(void **state)
{
	const struct ssh_config_source source = {0};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config("user u\nhostname h\nport 22\ndynamicforward 5\n"
					  "dynamicforward 5\nlocalforward 5 /y\n",
	    "h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.config->tunnels[0].forwards[0].kind, CONFIG_FORWARD_SOCKS);
	assert_int_equal(p.notes.n, 1);
	assert_string_equal(
	    p.notes.v[0].text, "localforward 5:/y: `socks` of localhost:5 listens there");
	parsed_clear(&p);
}

/* In front of the list it is a change of ssh's own; within it a name that no configuration may have. */
static void test_a_minus_within_a_list_is_no_name(void **state)
{
	const struct ssh_config_source source = {0};
	struct parsed p = {0};

	(void)state;
	p.config = config_from_ssh_config(
	    "user u\nhostname h\nport 22\nciphers a,-b\nlocalforward 81 web:80\n", "h", &source,
	    &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.config->hosts[0].ciphers.n, 1);
	assert_int_equal(p.notes.n, 1);
	assert_non_null(strstr(p.notes.v[0].text, "ciphers -b: not the name of an algorithm"));
	parsed_clear(&p);
}

static void test_a_forward_that_adit_cannot_do_is_named_and_left_out(void **state)
{
	const struct ssh_config_source source = {0};
	struct parsed p = {0};

	(void)state;
	p.config =
	    config_from_ssh_config("user u\nhostname h\nport 22\nlocalforward nobody:80 web:80\n"
				   "localforward 81 web:80\n",
		"h", &source, &p.errors, &p.notes);
	assert_non_null(p.config);
	assert_int_equal(p.config->tunnels[0].forward_count, 1);
	assert_int_equal(p.notes.n, 1);
	assert_non_null(strstr(p.notes.v[0].text, "localforward"));
	assert_non_null(strstr(p.notes.v[0].text, "`nobody` is no address of this machine"));
	parsed_clear(&p);
}

static void test_a_jump_that_ssh_does_not_know_is_an_error(void **state)
{
	int asked = 0;
	const struct ssh_config_source source = {answer, &asked, NULL, NULL};
	struct parsed p = {0};

	(void)state;
	assert_null(config_from_ssh_config(
	    "hostname h\nproxyjump nowhere\n", "h", &source, &p.errors, &p.notes));
	assert_string_equal(p.errors.v[0].text, "ssh does not know nowhere");
	parsed_clear(&p);
	p = (struct parsed){0};
	assert_null(config_from_ssh_config(
	    "hostname h\nproxyjump loop\n", "h", &source, &p.errors, &p.notes));
	assert_non_null(strstr(p.errors.v[0].text, "a loop of jumps"));
	assert_true(asked < 100);
	parsed_clear(&p);
}

/* ---- the writer ---- */

static void test_what_is_written_reads_back_the_same(void **state)
{
	static const char text[] =
	    "log_level = \"debug\"; control_socket = \"\"; ready = \"started\"; drain_timeout = "
	    "0.25; http_listen = \"127.0.0.1:1\"; watch = true;\n"
	    "hosts: { a: { user = \"strange \\\"user\\\\\"; identity = [\"/with $${HOME} in it\", "
	    "\"/b\"]; agent = false; };\n"
	    "b: { user = \"u\"; via = \"a\"; password = \"file:/p $${x}\"; agent = \"/a\"; "
	    "rekey_bytes = 8589934592L; host_key_check = \"accept-new\";\n"
	    "passphrase = \"credential:pp\"; reconnect_min = 0.01; port = 23; host_key = "
	    "\"SHA256:uNiVztksCsDhcc0u9e8BrUQXVUpKZIDTMczCvj3tD2s\"; }; };\n"
	    "tunnels: { t: { via = [\"b\", \"a\"]; enabled = false; connect = \"on-demand\"; probe "
	    "= \"tcp\"; forwards = (\n"
	    "{ local = \"unix:/s$${q}\"; mode = \"0666\"; owner = \"root\"; to = \"[::1]:1\"; "
	    "send_proxy = \"v2\"; },\n"
	    "{ remote = \"*:80\"; to = \"unix:/t\"; allow = [\"10.0.0.0/8\", \"::/0\"]; "
	    "idle_timeout = 1.001; },\n"
	    "{ remote_socks = \"unix:/u\"; allow_to = \"*:*\"; }, { local = \"systemd:web\"; to = "
	    "\"h:1\"; } ); };\n"
	    "u: { via = \"a\"; socks = \"0\"; max_streams = 3; }; };";
	struct config_errors errors = {0};

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	struct config *config = config_read_text(text, "/x/y", &errors);
	if (!config)
		fail_msg("%d: %s", errors.v[0].line, errors.v[0].text);
	assert_round_trip(config, "/elsewhere/z");
	config_unref(config);
}

static void test_an_imported_command_line_reads_back_the_same(void **state)
{
	struct parsed p = parse_good("-J a@[::1]:1,b -L 1:h:2 -L 2:unix:2 -L ./s:/t -R 3 -R "
				     "4:systemd:4 -i key -c aes128-ctr "
				     "-o ConnectTimeout=3 u@10.0.0.1");

	(void)state;
	assert_round_trip(p.config, "/elsewhere/z");
	parsed_clear(&p);
	p = parse_good("h");
	assert_round_trip(p.config, "/elsewhere/z");
	parsed_clear(&p);
}

int main(void)
{
	user_id = getuid();
	unsetenv("SSH_AUTH_SOCK"); /* whoever runs this may have an agent */
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forwards_are_what_ssh_takes),
	    cmocka_unit_test(test_gateway_ports_bind_all_addresses_here_but_not_there),
	    cmocka_unit_test(test_destinations_have_users_and_uris_ports),
	    cmocka_unit_test(test_a_proxy_command_may_be_no_more_than_a_jump),
	    cmocka_unit_test(test_a_command_line_is_a_host_and_a_tunnel),
	    cmocka_unit_test(test_jumps_become_hosts_in_a_chain),
	    cmocka_unit_test(test_the_same_host_twice_gets_two_names),
	    cmocka_unit_test(test_the_letters_that_take_a_value_are_those_of_ssh),
	    cmocka_unit_test(test_a_host_named_like_a_value_reads_back),
	    cmocka_unit_test(test_options_become_keys),
	    cmocka_unit_test(test_tokens_stand_for_what_the_whole_command_line_says),
	    cmocka_unit_test(test_values_mean_what_they_mean_to_ssh),
	    cmocka_unit_test(test_the_home_of_another_user_is_named_in_full),
	    cmocka_unit_test(test_what_cannot_be_carried_over_is_named),
	    cmocka_unit_test(test_what_a_remote_proxy_may_open_is_carried_over_or_refused),
	    cmocka_unit_test(test_a_name_of_this_machine_is_each_of_its_addresses),
	    cmocka_unit_test(test_a_family_of_addresses_is_that_of_the_listeners_here),
	    cmocka_unit_test(test_which_keys_of_the_agent_are_tried_is_named),
	    cmocka_unit_test(test_faulty_command_lines_are_refused_with_the_reason),
	    cmocka_unit_test(test_a_command_line_of_autossh_is_one_of_ssh),
	    cmocka_unit_test(test_of_two_forwards_on_one_place_the_first_is_made),
	    cmocka_unit_test(test_what_ssh_takes_without_a_word_is_taken_so),
	    cmocka_unit_test(test_all_forwards_can_be_cleared),
	    cmocka_unit_test(test_who_has_no_name_must_say_as_whom_to_log_in),
	    cmocka_unit_test(test_without_forwards_there_is_no_tunnel),
	    cmocka_unit_test(test_unknown_algorithms_are_dropped_and_named),
	    cmocka_unit_test(test_a_change_of_algorithms_is_one_of_our_own),
	    cmocka_unit_test(test_more_than_ssh_has_by_default_is_a_change),
	    cmocka_unit_test(test_an_alias_of_ssh_becomes_hosts_and_a_tunnel),
	    cmocka_unit_test(test_identities_are_those_of_ssh_or_the_defaults),
	    cmocka_unit_test(test_an_identity_that_is_not_there_is_left_out_beside_one_that_is),
	    cmocka_unit_test(test_how_a_later_jump_would_be_reached_alone_does_not_matter),
	    cmocka_unit_test(test_what_a_jump_host_loses_is_said_of_it),
	    cmocka_unit_test(test_what_ssh_prints_and_adit_does_not_know_is_a_note),
	    cmocka_unit_test(test_a_path_that_ssh_prints_is_taken_as_it_is),
	    cmocka_unit_test(test_paths_that_cannot_be_told_apart_are_a_note),
	    cmocka_unit_test(test_the_user_is_written_even_if_it_is_who_imports),
	    cmocka_unit_test(test_a_forward_to_a_path_is_no_dynamic_one),
	    cmocka_unit_test(test_a_dynamic_forward_beside_one_to_a_path_stays),
	    cmocka_unit_test(test_a_minus_within_a_list_is_no_name),
	    cmocka_unit_test(test_a_forward_that_adit_cannot_do_is_named_and_left_out),
	    cmocka_unit_test(test_a_jump_that_ssh_does_not_know_is_an_error),
	    cmocka_unit_test(test_what_is_written_reads_back_the_same),
	    cmocka_unit_test(test_an_imported_command_line_reads_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
