/*
 * Reading: what good files mean, and what each broken one is told, with its line.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/check.h"
#include "config/keys.h"
#include "config/read.h"

/* The example of the documentation, with the two hosts that its last tunnel names. */
static const char example[] =
    "hosts: {\n"
    "  bastion: {\n"
    "    address  = \"bastion.example.com\";\n"
    "    user     = \"tunnel\";\n"
    "    identity = \"/etc/adit/id_ed25519\";\n"
    "    host_key = \"SHA256:uNiVztksCsDhcc0u9e8BrUQXVUpKZIDTMczCvj3tD2s\";\n"
    "  };\n"
    "  inner: { address = \"10.0.7.4\"; user = \"tunnel\"; via = \"bastion\"; };\n"
    "  bastion-a: { user = \"tunnel\"; }; bastion-b: { user = \"tunnel\"; };\n"
    "};\n"
    "tunnels: {\n"
    "  orders-db: { via = \"inner\";   local  = \"127.0.0.1:5432\"; to = \"db.internal:5432\"; };\n"
    "  webhook:   { via = \"bastion\"; remote = \"127.0.0.1:8080\"; to = \"127.0.0.1:3000\"; };\n"
    "  office:    { via = \"bastion\"; socks  = \"127.0.0.1:1080\"; };\n"
    "  reports: {\n"
    "    via = [\"bastion-a\", \"bastion-b\"];\n"
    "    forwards = (\n"
    "      { local = \"unix:/run/adit/reports.sock\"; mode = \"0660\"; to = "
    "\"reports.internal:3306\"; },\n"
    "      { local = \"127.0.0.1:3307\"; to = \"unix:/var/run/mysqld/mysqld.sock\"; } );\n"
    "  };\n"
    "};\n";

static void print_errors(const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		char *text = config_error_text(&errors->v[i]);
		print_message("  %s\n", text);
		free(text);
	}
}

static struct config *read_good(const char *text)
{
	struct config_errors errors = {0};
	struct config *config = config_read_text(text, "/etc/adit/adit.conf", &errors);

	print_errors(&errors);
	assert_non_null(config);
	assert_int_equal(errors.n, 0);
	return config;
}

#define HOST "hosts: { b: { user = \"u\"; }; };"

/* ---- good ---- */

static const struct config_tunnel *find_tunnel(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->tunnel_count; i++)
		if (strcmp(config->tunnels[i].name, name) == 0)
			return &config->tunnels[i];
	fail_msg("there is no tunnel %s", name);
	return NULL;
}

static void test_the_example_reads_as_written(void **state)
{
	struct config *config = read_good(example);

	(void)state;
	assert_int_equal(config->host_count, 4);
	assert_int_equal(config->tunnel_count, 4);
	const struct config_host *bastion = config_find_host(config, "bastion");
	assert_string_equal(bastion->address, "bastion.example.com");
	assert_string_equal(bastion->user, "tunnel");
	assert_int_equal(bastion->place.line, 2);
	assert_string_equal(bastion->place.file, "/etc/adit/adit.conf");
	assert_int_equal(bastion->identity.n, 1);
	assert_false(bastion->identity_is_default);
	assert_string_equal(
	    bastion->host_key.v[0], "SHA256:uNiVztksCsDhcc0u9e8BrUQXVUpKZIDTMczCvj3tD2s");
	assert_string_equal(config_find_host(config, "inner")->via, "bastion");
	assert_string_equal(config_find_host(config, "bastion-a")->address, "bastion-a");

	const struct config_tunnel *reports = find_tunnel(config, "reports");
	assert_int_equal(reports->via.n, 2);
	assert_int_equal(reports->forward_count, 2);
	assert_int_equal(reports->forwards[0].listen.kind, CONFIG_UNIX);
	assert_string_equal(reports->forwards[0].listen.path, "/run/adit/reports.sock");
	assert_int_equal(reports->forwards[0].mode, 0660);
	assert_string_equal(reports->forwards[0].to.host, "reports.internal");
	assert_int_equal(reports->forwards[0].to.port, 3306);
	assert_int_equal(reports->forwards[1].to.kind, CONFIG_UNIX);
	assert_int_equal(reports->forwards[1].place.line, 19);

	const struct config_forward *office = &find_tunnel(config, "office")->forwards[0];
	assert_int_equal(office->kind, CONFIG_FORWARD_SOCKS);
	assert_null(office->to.text);
	assert_int_equal(find_tunnel(config, "webhook")->forwards[0].kind, CONFIG_FORWARD_REMOTE);
	assert_null(config_find_host(config, "nobody"));
	config_unref(config);
}

static void test_defaults_are_those_of_the_documentation(void **state)
{
	struct config *config =
	    read_good("hosts: { b: {}; }; tunnels: { t: { via = \"b\"; socks = \"1080\"; }; };");
	const struct config_host *host = &config->hosts[0];
	const struct config_tunnel *tunnel = &config->tunnels[0];

	(void)state;
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_null(config->control_socket);
	assert_int_equal(config->control_mode, 0600);
	assert_int_equal(config->ready, CONFIG_READY_UP);
	assert_null(config->http_listen.text);
	assert_false(config->watch);
	assert_int_equal(config->drain_timeout_ms, 30000);

	assert_string_equal(host->address, "b");
	assert_int_equal(host->port, 22);
	assert_null(host->via);
	assert_non_null(host->user);
	assert_true(host->identity_is_default);
	assert_int_equal(host->identity.n, 3);
	assert_non_null(strstr(host->identity.v[0], "/.ssh/id_ed25519"));
	assert_int_equal(host->certificate.n, 0);
	assert_int_equal(host->passphrase.kind, CONFIG_SECRET_NONE);
	assert_int_equal(host->agent, CONFIG_AGENT_ENVIRONMENT);
	assert_int_equal(host->known_hosts.n, 2);
	assert_string_equal(host->known_hosts.v[1], "/etc/ssh/ssh_known_hosts");
	assert_int_equal(host->host_key_check, CONFIG_CHECK_STRICT);
	assert_null(host->host_key_alias);
	assert_true(host->update_host_keys);
	assert_false(host->forward_agent);
	assert_int_equal(host->kex.n + host->ciphers.n + host->macs.n, 0);
	assert_int_equal(host->rekey_bytes, 1 << 30);
	assert_int_equal(host->rekey_interval_ms, 3600000);
	assert_int_equal(host->connect_timeout_ms, 10000);
	assert_int_equal(host->keepalive_interval_ms, 15000);
	assert_int_equal(host->keepalive_count, 3);
	assert_int_equal(host->reconnect_min_ms, 500);
	assert_int_equal(host->reconnect_max_ms, 30000);
	assert_int_equal(host->connections, 1);

	assert_true(tunnel->enabled);
	assert_int_equal(tunnel->connect, CONFIG_CONNECT_ALWAYS);
	assert_int_equal(tunnel->link_idle_timeout_ms, 300000);
	assert_int_equal(tunnel->hold_timeout_ms, 10000);
	assert_true(tunnel->required);
	assert_int_equal(tunnel->probe, CONFIG_PROBE_NONE);
	assert_int_equal(tunnel->probe_interval_ms, 30000);
	assert_int_equal(tunnel->forwards[0].mode, 0600);
	assert_int_equal(tunnel->forwards[0].max_streams, 4096);
	assert_int_equal(tunnel->forwards[0].idle_timeout_ms, 0);
	assert_int_equal(tunnel->forwards[0].send_proxy, CONFIG_SEND_PROXY_NONE);
	assert_string_equal(tunnel->forwards[0].listen.host, "localhost");
	config_unref(config);
}

static void test_every_key_is_read(void **state)
{
	struct config *config = read_good(
	    "log_level = \"debug\"; control_socket = \"run/c.sock\"; control_mode = \"0660\";\n"
	    "ready = \"started\"; http_listen = \"127.0.0.1:9822\"; watch = true; drain_timeout = "
	    "1.5;\n"
	    "hosts: { a: { user = \"u\"; }; b: {\n"
	    "address = \"2001:db8::1\"; port = 2222; via = \"a\"; user = \"u\"; identity = "
	    "[\"k1\", \"k2\"];\n"
	    "certificate = \"k1-cert.pub\"; passphrase = \"file:pass\"; password = \"file:/x/pw\"; "
	    "agent = \"agent.sock\";\n"
	    "known_hosts = (\"kh\"); host_key = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJaa "
	    "me@here\"];\n"
	    "host_key_check = \"accept-new\"; host_key_alias = \"alias\"; revoked_keys = \"krl\";\n"
	    "update_host_keys = false; forward_agent = true; kex = [\"curve25519-sha256\"];\n"
	    "ciphers = [\"aes128-gcm@openssh.com\", \"aes128-ctr\"]; macs = \"hmac-sha2-256\";\n"
	    "host_key_algorithms = [\"ssh-ed25519\"]; rekey_bytes = 8589934592; rekey_interval = "
	    "60;\n"
	    "connect_timeout = 2.5; keepalive_interval = 0; keepalive_count = 5; reconnect_min = "
	    "0.25;\n"
	    "reconnect_max = 60; connections = 4; bind_address = \"192.0.2.1\"; }; };\n"
	    "tunnels: { t: { via = \"b\"; enabled = false; connect = \"on-demand\"; "
	    "link_idle_timeout = 60;\n"
	    "hold_timeout = 0; required = false; probe = \"tcp\"; probe_interval = 5; forwards = "
	    "(\n"
	    "{ local = \"unix:s\"; mode = \"0666\"; owner = \"root\"; group = \"0\"; allow_users = "
	    "[\"root\"]; allow_groups = \"root\"; to = \"h:1\"; },\n"
	    "{ remote = \"*:80\"; allow = [\"10.0.0.0/8\", \"::1\"]; to = \"unix:t\"; send_proxy = "
	    "\"v2\"; max_streams = 7; idle_timeout = 0.5; },\n"
	    "{ socks = \"[::1]:0\"; allow_to = [\"*.internal:5432\", \"10.0.0.0/8:*\", "
	    "\"[2001:db8::/32]:80-90\"]; },\n"
	    "{ local = \"systemd:web\"; to = \"h:1\"; send_proxy = \"v1\"; } ); }; };");
	const struct config_host *b = config_find_host(config, "b");
	const struct config_forward *forwards = config->tunnels[0].forwards;

	(void)state;
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(config->control_socket, "/etc/adit/run/c.sock");
	assert_int_equal(config->control_mode, 0660);
	assert_int_equal(config->ready, CONFIG_READY_STARTED);
	assert_string_equal(config->http_listen.text, "127.0.0.1:9822");
	assert_true(config->watch);
	assert_int_equal(config->drain_timeout_ms, 1500);
	assert_string_equal(b->address, "2001:db8::1");
	assert_int_equal(b->port, 2222);
	assert_string_equal(b->via, "a");
	assert_string_equal(b->identity.v[1], "/etc/adit/k2");
	assert_string_equal(b->certificate.v[0], "/etc/adit/k1-cert.pub");
	assert_string_equal(b->passphrase.path, "/etc/adit/pass");
	assert_string_equal(b->password.path, "/x/pw");
	assert_int_equal(b->agent, CONFIG_AGENT_PATH);
	assert_string_equal(b->agent_path, "/etc/adit/agent.sock");
	assert_int_equal(b->known_hosts.n, 1);
	assert_string_equal(b->host_key.v[0], "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJaa");
	assert_int_equal(b->host_key_check, CONFIG_CHECK_ACCEPT_NEW);
	assert_string_equal(b->host_key_alias, "alias");
	assert_string_equal(b->revoked_keys.v[0], "/etc/adit/krl");
	assert_false(b->update_host_keys);
	assert_true(b->forward_agent);
	assert_string_equal(b->kex.v[0], "curve25519-sha256");
	assert_int_equal(b->ciphers.n, 2);
	assert_string_equal(b->macs.v[0], "hmac-sha2-256");
	assert_string_equal(b->host_key_algorithms.v[0], "ssh-ed25519");
	assert_true(b->rekey_bytes == 8589934592u);
	assert_int_equal(b->rekey_interval_ms, 60000);
	assert_int_equal(b->connect_timeout_ms, 2500);
	assert_int_equal(b->keepalive_interval_ms, 0);
	assert_int_equal(b->keepalive_count, 5);
	assert_int_equal(b->reconnect_min_ms, 250);
	assert_int_equal(b->reconnect_max_ms, 60000);
	assert_int_equal(b->connections, 4);
	assert_string_equal(b->bind_address, "192.0.2.1");
	assert_false(config->tunnels[0].enabled);
	assert_int_equal(config->tunnels[0].connect, CONFIG_CONNECT_ON_DEMAND);
	assert_int_equal(config->tunnels[0].link_idle_timeout_ms, 60000);
	assert_int_equal(config->tunnels[0].hold_timeout_ms, 0);
	assert_false(config->tunnels[0].required);
	assert_int_equal(config->tunnels[0].probe, CONFIG_PROBE_TCP);
	assert_int_equal(config->tunnels[0].probe_interval_ms, 5000);
	assert_string_equal(forwards[0].listen.text, "unix:/etc/adit/s");
	assert_string_equal(forwards[0].owner, "root");
	assert_string_equal(forwards[0].allow_users.v[0], "root");
	assert_string_equal(forwards[1].listen.host, "*");
	assert_string_equal(forwards[1].to.path, "/etc/adit/t");
	assert_int_equal(forwards[1].send_proxy, CONFIG_SEND_PROXY_V2);
	assert_int_equal(forwards[1].max_streams, 7);
	assert_int_equal(forwards[1].idle_timeout_ms, 500);
	assert_string_equal(forwards[2].listen.text, "[::1]:0");
	assert_int_equal(forwards[2].allow_to.n, 3);
	assert_int_equal(forwards[3].listen.kind, CONFIG_SYSTEMD);
	assert_string_equal(forwards[3].listen.path, "web");
	config_unref(config);
}

static void test_defaults_of_the_file_reach_every_host_and_tunnel_where_they_fit(void **state)
{
	struct config *config = read_good(
	    "host_defaults: { user = \"d\"; via = \"hop\"; ciphers = [\"x\", \"y\"]; };\n"
	    "tunnel_defaults: { via = \"b\"; mode = \"0660\"; allow = \"10.0.0.0/8\"; to = "
	    "\"h:9\"; hold_timeout = 3; };\n"
	    "hosts: { hop: { via = \"\"; }; b: { user = \"own\"; }; };\n"
	    "tunnels: { t: { local = \"1\"; }; u: { socks = \"unix:/s\"; hold_timeout = 4; }; };");
	const struct config_forward *t = &config->tunnels[0].forwards[0];
	const struct config_forward *u = &config->tunnels[1].forwards[0];

	(void)state;
	assert_null(config->hosts[0].via);
	assert_string_equal(config->hosts[0].user, "d");
	assert_string_equal(config->hosts[1].via, "hop");
	assert_string_equal(config->hosts[1].user, "own");
	assert_string_equal(config->hosts[1].ciphers.v[1], "y");
	assert_string_equal(t->to.text, "h:9");
	assert_int_equal(t->mode, 0600);
	assert_int_equal(t->allow.n, 1);
	assert_null(u->to.text);
	assert_int_equal(u->mode, 0660);
	assert_int_equal(u->allow.n, 0);
	assert_int_equal(config->tunnels[0].hold_timeout_ms, 3000);
	assert_int_equal(config->tunnels[1].hold_timeout_ms, 4000);
	config_unref(config);
}

static void test_a_time_that_is_very_short_is_not_never(void **state)
{
	struct config *config =
	    read_good("hosts: { b: { user = \"u\"; keepalive_interval = 0.0004; }; };\n"
		      "tunnels: { t: { via = \"b\"; link_idle_timeout = 0; forwards = (\n"
		      "{ local = \"1\"; to = \"h:1\"; idle_timeout = 1e-9; },\n"
		      "{ local = \"2\"; to = \"h:1\"; idle_timeout = 0.0014; } ); }; };");

	(void)state;
	assert_int_equal(config->hosts[0].keepalive_interval_ms, 1);
	assert_int_equal(config->tunnels[0].link_idle_timeout_ms, 0);
	assert_int_equal(config->tunnels[0].forwards[0].idle_timeout_ms, 1);
	assert_int_equal(config->tunnels[0].forwards[1].idle_timeout_ms, 1);
	config_unref(config);
}

static void test_paths_are_expanded_and_dollars_can_be_written(void **state)
{
	setenv("ADIT_TEST", "value", 1);
	setenv("HOME", "/home/me", 1);
	struct config *config =
	    read_good("hosts: { b: { user = \"u\";"
		      "identity = [\"~/k\", \"/x/${ADIT_TEST}/k\", \"/x/$${ADIT_TEST}\"]; }; };");
	const struct config_strings *identity = &config->hosts[0].identity;

	(void)state;
	assert_string_equal(identity->v[0], "/home/me/k");
	assert_string_equal(identity->v[1], "/x/value/k");
	assert_string_equal(identity->v[2], "/x/${ADIT_TEST}");
	config_unref(config);
}

static void test_the_path_of_the_control_socket_is_expanded_once(void **state)
{
	setenv("ADIT_TEST", "$${ADIT_TEST}", 1);
	struct config *config = read_good("control_socket = \"/tmp/$${x}/${ADIT_TEST}\";");

	(void)state;
	assert_string_equal(config->control_socket, "/tmp/${x}/$${ADIT_TEST}");
	config_unref(config);
	setenv("HOME", "/home/me", 1);
	config = read_good("control_socket = \"~/~/c.sock\";");
	assert_string_equal(config->control_socket, "/home/me/~/c.sock");
	config_unref(config);
}

static void test_credentials_are_files_of_the_credentials_directory(void **state)
{
	const char *text = "hosts: { b: { user = \"u\"; password = \"credential:pw\"; }; };";

	(void)state;
	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/adit.service", 1);
	struct config *config = read_good(text);
	assert_string_equal(config->hosts[0].password.path, "/run/credentials/adit.service/pw");
	config_unref(config);

	unsetenv("CREDENTIALS_DIRECTORY");
	config = read_good(text);
	assert_string_equal(config->hosts[0].password.path, "$CREDENTIALS_DIRECTORY/pw");
	assert_int_equal(config->warnings.n, 1);
	assert_non_null(strstr(config->warnings.v[0].text, "LoadCredential"));
	config_unref(config);
}

static void test_an_open_listener_without_allow_is_a_warning(void **state)
{
	struct config *config = read_good(HOST
	    "\ntunnels: { t: { via = \"b\"; local = \"*:80\"; to = \"h:1\"; };\n"
	    "u: { via = \"b\"; local = \"0.0.0.0:81\"; to = \"h:1\"; allow = \"10.0.0.0/8\"; };\n"
	    "v: { via = \"b\"; local = \"127.0.0.2:82\"; to = \"h:1\"; };"
	    "w: { via = \"b\"; local = \"LOCALHOST:83\"; to = \"h:1\"; }; };");

	(void)state;
	assert_int_equal(config->warnings.n, 1);
	assert_int_equal(config->warnings.v[0].line, 2);
	assert_non_null(strstr(config->warnings.v[0].text, "*:80"));
	config_unref(config);
}

static void test_the_same_remote_listener_on_two_hosts_is_fine(void **state)
{
	config_unref(read_good("hosts: { a: { user = \"u\"; }; b: { user = \"u\"; }; };"
			       "tunnels: { t: { via = \"a\"; remote = \"80\"; to = \"h:1\"; };"
			       "u: { via = \"b\"; remote = \"80\"; to = \"h:1\"; };"
			       "v: { via = \"b\"; local = \"80\"; to = \"h:1\"; };"
			       "w: { via = \"b\"; local = \"127.0.0.1:0\"; to = \"h:1\"; };"
			       "x: { via = \"b\"; local = \"127.0.0.1:0\"; to = \"h:1\"; };"
			       "y: { via = \"b\"; local = \"127.0.0.2:80\"; to = \"h:1\"; }; };"));
	(void)state;
}

static void test_all_addresses_of_one_family_leave_the_other_free(void **state)
{
	config_unref(
	    read_good(HOST "tunnels: { t: { via = \"b\"; remote = \"[::]:80\"; to = \"h:1\"; };"
			   "u: { via = \"b\"; remote = \"0.0.0.0:80\"; to = \"h:1\"; };"
			   "v: { via = \"b\"; remote = \"127.0.0.1:81\"; to = \"h:1\"; };"
			   "w: { via = \"b\"; remote = \"[::]:81\"; to = \"h:1\"; };"
			   "x: { via = \"b\"; local = \"[::1]:82\"; to = \"h:1\"; };"
			   "y: { via = \"b\"; local = \"0.0.0.0:82\"; to = \"h:1\"; }; };"));
	(void)state;
}

/* What the server makes of a name is its own matter. */
static void test_a_server_may_listen_on_names_and_short_forms(void **state)
{
	config_unref(
	    read_good(HOST "tunnels: { t: { via = \"b\"; remote = \"127.1:80\"; to = \"h:1\"; };"
			   "u: { via = \"b\"; remote_socks = \"web:80\"; };"
			   "v: { via = \"b\"; local = \"LocalHost:81\"; to = \"127.1:80\"; };"
			   "w: { via = \"b\"; local = \"[fe80::1%lo]:81\"; to = \"h:1\"; }; };"));
	(void)state;
}

static void test_paths_that_only_look_alike_are_two_listeners(void **state)
{
	config_unref(read_good(HOST "tunnels: { t: { via = \"b\"; socks = \"unix:/a/b/../c\"; };"
				    "u: { via = \"b\"; socks = \"unix:/a/b/c\"; };"
				    "v: { via = \"b\"; socks = \"unix:/a/b/.c\"; };"
				    "w: { via = \"b\"; socks = \"unix:/a/b/..c\"; };"
				    "x: { via = \"b\"; socks = \"unix:/a/b/C\"; };"
				    "y: { via = \"b\"; socks = \"unix:/a/c\"; }; };"));
	(void)state;
}

static void test_a_snapshot_lives_until_its_last_user_is_gone(void **state)
{
	struct config *config = read_good(example);

	(void)state;
	assert_ptr_equal(config_ref(config), config);
	config_unref(config);
	assert_string_equal(config->hosts[0].name, "bastion"); /* ASan would object */
	config_unref(config);
	config_unref(NULL);
}

/* ---- broken, one fault each ---- */

/* Two tunnels on one listener, in two spellings. */
#define TWO(key, first, second) \
	HOST "tunnels: { t: { via = \"b\"; " key " = \"" first "\"; to = \"h:1\"; };\n" \
	     " u: { via = \"b\"; " key " = \"" second "\"; to = \"h:1\"; }; };"
#define TEN "1234567890"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define TUNNEL(keys) HOST "\ntunnels: { t: { via = \"b\";\n" keys "\n}; };"
#define FAULTY_HOST(keys) "hosts: { b: { user = \"u\";\n" keys "\n}; };"

static const struct broken {
	const char *text;
	int line;
	const char *says;
} broken[] = {
    /* syntax */
    {"hosts = {\n a = \n};", 2, "syntax error"},
    {"hosts: {\n b: { user = \"u\"; };\n", 1, "this `{` is not closed"},
    {"hosts: {\n b: { user = [ \"u\"; }; };\n", 2, "needs its `]`"},
    {"\n};", 2, "closes nothing"},
    {"log_level = \"info;\n\n", 1, "this string does not end in its line"},
    {"/* hosts\n", 1, "this comment never ends"},
    {"watch = true;\n@include \"/etc/passwd\"\n", 2, "`include`"},
    {"hosts: {\n db.example.com: { };\n};", 2, "not a dot"},
    {"hosts: { b: { user = \"u\"; };\n\n b: { user = \"v\"; }; };", 3,
	"first at /etc/adit/adit.conf:1"},
    {"hosts: { b: {\nuser = \"u\";\n user = \"v\"; }; };", 3,
	"`user` is defined twice: first at /etc/adit/adit.conf:2"},
    {"log_level = \"a\\x00b\";", 1, "zero byte"},
    {"drain_timeout = 99999999999999999999;", 1, "too large"},
    {FAULTY_HOST("kex = [\"a\", 1];"), 2, "mismatched"},
    /* elements: where each begins */
    {FAULTY_HOST("identity = (\n\"a\",\n7\n,\n\"b\"\n);"), 4, "must be a string"},
    {FAULTY_HOST("identity = (\n\"a\",\n\"\"\n);"), 4, "is empty"},
    {FAULTY_HOST("identity = (\n\"a\",\n\"~\"\n\"me\"\n);"), 4, "only `~/`"},
    {FAULTY_HOST("host_key = [\n\"SHA256:uNiVztksCsDhcc0u9e8BrUQXVUpKZIDTMczCvj3tD2s\" # ]\n,"
		 "\n\"x\"\n];"),
	5, "neither `SHA256"},
    {HOST "tunnels: { t: { socks = \"1\"; via = [\n\"b\",\n\"c\"\n]; }; };", 3, "no host `c`"},
    {HOST "tunnel_defaults: { via = [\n\"b\",\n\"c\"\n]; };\ntunnels: { t: { socks = \"1\"; }; };",
	3, "no host `c`"},
    {TUNNEL("socks = \"1\"; allow = (\n\"10.0.0.0/8\",\n\"10.0.0.1/8\"\n);"), 5, "is no CIDR"},
    {"include = [\n\"/nowhere/*\",\n\"/nowhere/f\"\n];", 3, "cannot be opened"},
    /* values that are near */
    {FAULTY_HOST("agent = \"true\";"), 2, "must be true without quotes, or a socket's path"},
    {FAULTY_HOST("address = \"ssh://h\";"), 2, "`ssh://h` is neither a name nor an address"},
    {FAULTY_HOST("address = \"me@h\";"), 2, "the user is the key `user`"},
    {FAULTY_HOST("address = \"fe80::1%\";"), 2, "neither a name nor an address"},
    {TUNNEL("socks = \"127.0.0.1\";"), 3, "the port is missing, as in `127.0.0.1:80`"},
    {TUNNEL("socks = \"127.0.0.1:\";"), 3, "the port is missing"},
    {TUNNEL("local = \"5000:db:5432\"; to = \"h:1\";"), 3, "is said by `to`"},
    {TUNNEL("local = \"5000\"; to = \"tcp:db:5432\";"), 3, "one `host:port` is wanted"},
    {TUNNEL("local = \"::1:80\"; to = \"h:1\";"), 3, "stands in brackets"},
    {TUNNEL("local = \"fe80::1%lo:80\"; to = \"h:1\";"), 3, "stands in brackets"},
    {"host_defaults: { user = \"u\";\nvia = \"b\"; };\nhosts: { b: { }; };", 2,
	"b via b; `via = \"\"` in a host undoes the default"},
    {"hosts: {\nx" HUNDRED HUNDRED HUNDRED ": { }; };", 2, "at most 255 characters"},
    /* top level */
    {"log_levl = \"info\";", 1, "did you mean `log_level`?"},
    {"\nlog_level = \"loud\";", 2, "must be `\"error\"`, `\"warning\"`, `\"info\"` or `\"debug\"`"},
    {"log_level = 3;", 1, "must be a string"},
    {"watch = \"yes\";", 1, "true or false without quotes"},
    {"drain_timeout = -1;", 1, "from 0 to 86400"},
    {"drain_timeout = 1e999;", 1, "from 0 to 86400"},
    {"drain_timeout = \"3\";", 1, "number of seconds without quotes"},
    {"control_mode = 0660;", 1, "string of octal digits"},
    {"control_mode = \"0999\";", 1, "is no mode"},
    {"control_mode = \"0000\";", 1, "nobody could connect"},
    {TUNNEL("local = \"unix:/s\"; to = \"h:1\";\n mode = \"0\";"), 4, "nobody could connect"},
    {TUNNEL("local = \"unix:/s\"; to = \"h:1\";\n mode = \"0555\";"), 4, "nobody could connect"},
    {"control_socket = \"/" HUNDRED "12345678\";", 1, "longer than the 107 bytes"},
    {"control_socket = 3;", 1, "must be a string"},
    {"hosts: { h*: { address = \"x\"; }; };", 1, "a name has letters, digits, - and _ only"},
    {HOST "tunnels: {\n a*b: { via = \"b\"; socks = \"1080\"; }; };", 2, "a name has letters"},
    {"http_listen = \"unix:/x\";", 1, "is for TCP"},
    {"http_listen = \"web:80\";", 1, "not on `web`"},
    {"http_listen = \"localhost:http\";", 1, "`http` is no port number"},
    {"ready = true;", 1, "must be a string"},
    {"hosts = \"b\";", 1, "`hosts` must be a group"},
    {"tunnels = ();", 1, "`tunnels` must be a group"},
    {"hosts: {\n b = 1; };", 2, "`b` must be a group"},
    {"include = \"/nonexistent/x.conf\";", 1, "No such file"},
    {"include = [];", 1, "empty list"},
    {"host_defaults: {\n usr = \"x\"; };", 2, "did you mean `user`?"},
    {"tunnel_defaults: {\n local = \"80\"; };", 2, "cannot be a default"},
    /* hosts */
    {FAULTY_HOST("keepalive_intervall = 3;"), 2, "did you mean `keepalive_interval`?"},
    {FAULTY_HOST("zzz = 3;"), 2, "a host has no key `zzz`"},
    {FAULTY_HOST("port = 0;"), 2, "from 1 to 65535"},
    {FAULTY_HOST("port = 65536;"), 2, "from 1 to 65535"},
    {FAULTY_HOST("port = 4294967318;"), 2, "not 4294967318"},
    {FAULTY_HOST("port = 22.5;"), 2, "a whole number"},
    {FAULTY_HOST("address = \"x:22\";"), 2, "port = 22"},
    {FAULTY_HOST("address = \"a b\";"), 2, "neither a name nor an address"},
    {FAULTY_HOST("address = \"-oProxyCommand\";"), 2, "neither a name nor an address"},
    {FAULTY_HOST("address = \"\";"), 2, "is empty"},
    {FAULTY_HOST("via = \"c\";"), 2, "there is no host `c`"},
    {FAULTY_HOST("via = \"b\";"), 2, "a loop of jumps: b via b"},
    {"hosts: { one: { user = \"u\"; via = \"two\"; };\n two: { user = \"u\"; via = \"one\"; }; };",
	1, "a loop of jumps: one via two via one"},
    {FAULTY_HOST("user = \"\\x1b[2J\";"), 2, "defined twice"},
    {"hosts: { b: {\nuser = \"\\x1b[2J\"; }; };", 2, "control character"},
    {FAULTY_HOST("identity = [];"), 2, "empty list"},
    {FAULTY_HOST("identity = \"~root/x\";"), 2, "another user's home"},
    {FAULTY_HOST("identity = \"${ADIT_UNSET}/x\";"), 2, "`ADIT_UNSET` is not set"},
    {FAULTY_HOST("identity = \"${x\";"), 2, "needs a name and a `}`"},
    {FAULTY_HOST("identity = [\"/a\", \"/a\"];"), 2, "twice"},
    {FAULTY_HOST("password = \"hunter2\";"), 2, "never the secret itself"},
    {FAULTY_HOST("password = \"credential:../x\";"), 2, "no name of a credential"},
    {FAULTY_HOST("agent = 3;"), 2, "a socket's path"},
    {FAULTY_HOST("host_key = \"SHA256:short\";"), 2, "43 characters"},
    {FAULTY_HOST("host_key = \"MD5:aa:bb\";"), 2, "MD5"},
    {FAULTY_HOST("host_key = \"ssh-ed25519 !!\";"), 2, "public key"},
    {FAULTY_HOST("host_key_check = \"no\";"), 2, "must be `\"strict\"` or `\"accept-new\"`"},
    {FAULTY_HOST("ciphers = \"a,b\";"), 2, "without commas"},
    {FAULTY_HOST("ciphers = \"+a\";"), 2, "the whole list"},
    {FAULTY_HOST("ciphers = \"a b\";"), 2, "no name of an algorithm"},
    {FAULTY_HOST("rekey_bytes = 1;"), 2, "from 4096"},
    {FAULTY_HOST("keepalive_count = 0;"), 2, "from 1 to 1000"},
    {FAULTY_HOST("reconnect_min = 31;"), 2, "more than `reconnect_max`"},
    {FAULTY_HOST("connections = 65;"), 2, "from 1 to 64"},
    {FAULTY_HOST("bind_address = \"eth0\";"), 2, "no IP address"},
    {"hosts: { b*: { user = \"u\"; }; };", 1, "a name has letters, digits"},
    /* tunnels and forwards */
    {HOST "\ntunnels: {\n t: { local = \"1\"; to = \"h:1\"; }; };", 3, "has no `via`"},
    {"hosts: { bastion: { user = \"u\"; }; };"
     "\ntunnels: {\n t: { via = \"basion\"; local = \"1\"; to = \"h:1\"; }; };",
	3, "did you mean `bastion`?"},
    {HOST "\ntunnels: {\n t: { via = []; local = \"1\"; to = \"h:1\"; }; };", 3,
	"`via` is an empty list"},
    {HOST "\ntunnels: {\n t: { via = [\"b\", \"b\"]; local = \"1\"; to = \"h:1\"; }; };", 3,
	"twice"},
    {TUNNEL(""), 2, "nothing says where to listen"},
    {TUNNEL("local = \"1\";"), 3, "`to` is missing"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n remote = \"2\";"), 4, "`local` and `remote` at once"},
    {TUNNEL("socks = \"1\";\n to = \"h:1\";"), 4, "`to` goes not with socks"},
    {TUNNEL("local = \"127.1:80\"; to = \"h:1\";"), 3, "not on `127.1`"},
    {TUNNEL("local = \"127.0.0.01:80\"; to = \"h:1\";"), 3, "not on `127.0.0.01`"},
    {TUNNEL("socks = \"web:80\";"), 3, "an IP address, `localhost` or `*`"},
    {TUNNEL("local = \"99999\"; to = \"h:1\";"), 3, "no port number"},
    {TUNNEL("local = \":80\"; to = \"h:1\";"), 3, "`*:80` is all addresses"},
    {TUNNEL("local = \"::1:80\"; to = \"h:1\";"), 3, "in brackets"},
    {TUNNEL("local = \"[::1]\"; to = \"h:1\";"), 3, "`[address]:port` is wanted"},
    {TUNNEL("local = \"[::g]:1\"; to = \"h:1\";"), 3, "no IPv6 address"},
    {TUNNEL("local = \"/run/x\"; to = \"h:1\";"), 3, "begins with `unix:`"},
    {TUNNEL("local = \"1\"; to = \"h\";"), 3, "`host:port` or `unix:PATH`"},
    {TUNNEL("local = \"1\"; to = \"h:0\";"), 3, "no port number"},
    {TUNNEL("local = \"1\"; to = \"*:80\";"), 3, "neither a name nor an address"},
    {TUNNEL("local = \"1\"; to = \"unix:x\";"), 3, "on the server must be absolute"},
    {TUNNEL("local = \"1\"; to = \"unix:~/x\";"), 3, "on the server must be absolute"},
    {TUNNEL("remote = \"unix:~/x\"; to = \"h:1\";"), 3, "on the server must be absolute"},
    {TUNNEL("socks = \"[::ffff:127.0.0.1]:80\";"), 3, "is IPv4: write `127.0.0.1`"},
    {TUNNEL("remote = \"nonsense\"; to = \"unix:rel\";"), 3, "no port number"},
    {TUNNEL("remote = 5; to = \"unix:rel\";"), 3, "`remote`"},
    {TUNNEL("remote = \"systemd:x\"; to = \"h:1\";"), 3, "systemd passes sockets"},
    {TUNNEL("local = \"systemd:\"; to = \"h:1\";"), 3, "needs a FileDescriptorName"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n mode = \"0600\";"), 4, "`mode` goes not with local"},
    {TUNNEL("remote = \"unix:/s\"; to = \"h:1\";\n owner = \"root\";"), 4,
	"`owner` goes not with remote"},
    {TUNNEL("local = \"unix:/s\"; to = \"h:1\";\n allow = \"::/0\";"), 4, "`allow_users`"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n allow_users = \"root\";"), 4, "clients' users"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n allow_to = \"*:1\";"), 4, "it is for SOCKS"},
    {TUNNEL("socks = \"1\";\n send_proxy = \"v1\";"), 4, "`send_proxy` goes not with socks"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n allow = \"10.0.0.0/33\";"), 4, "no CIDR block"},
    {TUNNEL("socks = \"1\";\n allow_to = \"internal\";"), 4, "`host:port` is wanted"},
    {TUNNEL("socks = \"1\";\n allow_to = \"10.0.0.0/40:*\";"), 4, "CIDR block"},
    {TUNNEL("socks = \"1\";\n allow_to = \"x:90-80\";"), 4, "no port, range"},
    {TUNNEL("socks = \"1\";\n allow_to = \"10.1.2.3/8:*\";"), 4, "these 8 bits is `10.0.0.0/8`"},
    {TUNNEL("socks = \"1\";\n allow = \"2001:db8::1/64\";"), 4, "is `2001:db8::/64`"},
    {TUNNEL("socks = \"1\";\n allow = \"ten\";"), 4, "no CIDR block, as in"},
    {TUNNEL("socks = \"unix:/s\";\n owner = \"no-such-user-here\";"), 4, "has no user"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n max_streams = 0;"), 4, "from 1 to 1000000"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n send_proxy = \"v3\";"), 4, "`\"v2\"`"},
    {TUNNEL("local = \"1\"; to = \"h:1\";\n connect = \"sometimes\";"), 4,
	"`\"always\"` or `\"on-demand\"`"},
    {TUNNEL("socks = \"1\";\n probe = \"tcp\";"), 4, "no target to try"},
    {TUNNEL("forwards = ();"), 3, "empty list"},
    {TUNNEL("forwards = \"x\";"), 3, "must be a list of groups"},
    {TUNNEL("forwards = ( { local = \"1\"; to = \"h:1\"; } );\n max_streams = 3;"), 4,
	"belongs into the groups"},
    {TUNNEL("forwards = ( { local = \"1\"; to = \"h:1\"; },\n 3 );"), 4, "must be a group"},
    {TUNNEL("forwards = ( { local = \"1\"; to = \"h:1\"; },\n { local = \"localhost:1\"; to = "
	    "\"h:1\"; } );"),
	4, "taken by tunnel `t` (localhost:1 at /etc/adit/adit.conf:3)"},
    {HOST "tunnels: { t: { via = \"b\"; local = \"127.0.0.1:80\"; to = \"h:1\"; };\n u: { via = "
	  "\"b\"; socks = \"127.0.0.1:80\"; }; };",
	2, "taken by tunnel `t`"},
    {HOST "tunnels: { t: { via = \"b\"; remote = \"80\"; to = \"h:1\"; };\n u: { via = \"b\"; "
	  "remote_socks = \"80\"; }; };",
	2, "taken by tunnel `t`"},
    {HOST "tunnels: { t: { via = \"b\"; local = \"127.0.0.1:80\"; to = \"h:1\"; };\n u: { via = "
	  "\"b\"; socks = \"*:80\"; }; };",
	2, "taken by tunnel `t`"},
    {TWO("local", "unix:/etc/adit/a.sock", "unix:./a.sock"), 2, "taken by tunnel `t`"},
    {TWO("local", "unix:/h/./a", "unix:/h//a"), 2, "taken by tunnel `t`"},
    {TWO("remote", "unix:/./a/", "unix:/a"), 2, "taken by tunnel `t`"},
    {TWO("local", "localhost:12", "LOCALHOST:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "LocalHost:12", "127.0.0.1:12"), 2, "taken by tunnel `t`"},
    {TWO("remote", "127.1:12", "127.0.0.1:12"), 2, "taken by tunnel `t`"},
    {TWO("remote", "Web:12", "weB:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "[0::1]:12", "localhost:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "[::]:12", "[2001:db8::1]:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "localhost:12", "[::]:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "*:12", "[::]:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "0.0.0.0:12", "*:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "0.0.0.0:12", "localhost:12"), 2, "taken by tunnel `t`"},
    {TWO("local", "127.0.0.2:12", "0.0.0.0:12"), 2, "taken by tunnel `t`"},
    {HOST "http_listen = \"localhost:80\"; tunnels: {\n u: { via = \"b\"; socks = \"80\"; }; };", 2,
	"taken by `http_listen`"},
    {HOST "control_socket = \"/s\"; tunnels: {\n u: { via = \"b\"; socks = \"unix:/s\"; }; };", 2,
	"taken by `control_socket`"},
    {HOST "tunnels: {\n t: { via = \"b\"; local = \"1\"; too = \"h:1\"; }; };", 2,
	"did you mean `to`?"},
};

static bool has_error(const struct config_errors *errors, int line, const char *says)
{
	for (size_t i = 0; i < errors->n; i++)
		if (errors->v[i].line == line && strstr(errors->v[i].text, says))
			return true;
	return false;
}

static void test_every_fault_is_named_with_its_line(void **state)
{
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct config_errors errors = {0};
		struct config *config =
		    config_read_text(broken[i].text, "/etc/adit/adit.conf", &errors);
		if (config || !has_error(&errors, broken[i].line, broken[i].says)) {
			print_message("wanted line %d: %s\nof: %s\n", broken[i].line,
			    broken[i].says, broken[i].text);
			print_errors(&errors);
			failures++;
		}
		config_unref(config);
		config_errors_clear(&errors);
	}
	assert_int_equal(failures, 0);
	assert_true(ARRAY_LEN(broken) >= 40);
}

/* One fault must not drag others behind it: a person would look for those, too. */
static void test_one_fault_is_one_error(void **state)
{
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct config_errors errors = {0};
		config_unref(config_read_text(broken[i].text, "/etc/adit/adit.conf", &errors));
		bool two = strstr(broken[i].text, "too = ") || strstr(broken[i].text, "[ \"u\"; }");
		if (errors.n != 1 && !two) {
			print_message("%zu errors for: %s\n", errors.n, broken[i].text);
			print_errors(&errors);
			failures++;
		}
		config_errors_clear(&errors);
	}
	assert_int_equal(failures, 0);
}

/* A listener of several servers is refused once, by whichever of them it is taken on. */
static void test_listeners_on_several_servers_are_told_once_each(void **state)
{
	struct config_errors errors = {0};

	(void)state;
	assert_null(config_read_text(
	    "hosts: { a: { user = \"u\"; }; b: { user = \"u\"; }; c: { user = \"u\"; }; };\n"
	    "tunnels: { t: { via = [\"a\", \"b\"]; remote = \"80\"; to = \"h:1\"; };\n"
	    "u: { via = [\"b\", \"a\"]; remote = \"*:80\"; to = \"h:1\"; };\n"
	    "v: { via = [\"c\", \"b\"]; remote = \"127.0.0.1:80\"; to = \"h:1\"; };\n"
	    "w: { via = \"c\"; remote = \"[::1]:80\"; to = \"h:1\"; };\n"
	    "x: { via = \"c\"; remote = \"localhost:80\"; to = \"h:1\"; }; };",
	    "f", &errors));
	assert_int_equal(errors.n, 3);
	assert_int_equal(errors.v[0].line, 3);
	assert_string_equal(errors.v[0].text,
	    "`remote` listens on *:80, which is taken by tunnel `t` (localhost:80 at f:2)");
	assert_int_equal(errors.v[1].line, 4);
	assert_int_equal(errors.v[2].line, 6);
	config_errors_clear(&errors);
}

static void test_the_first_errors_alone_have_hints(void **state)
{
	struct config_errors errors = {0};
	struct strbuf text = {0};

	(void)state;
	strbuf_add(&text, "hosts: { bastion: { user = \"u\"; }; };\ntunnels: {\n");
	for (int i = 0; i < 30; i++)
		strbuf_addf(&text, "t%d: { via = \"basion\"; socks = \"%d\"; };\n", i, 1000 + i);
	strbuf_add(&text, "};");
	assert_null(config_read_text(strbuf_text(&text), "f", &errors));
	assert_int_equal(errors.n, 30);
	assert_non_null(strstr(errors.v[19].text, "did you mean `bastion`?"));
	assert_string_equal(errors.v[20].text, "`via`: there is no host `basion`");
	config_errors_clear(&errors);
	strbuf_clear(&text);
}

static void test_all_errors_come_in_the_order_of_the_lines(void **state)
{
	struct config_errors errors = {0};

	(void)state;
	assert_null(config_read_text(
	    "hosts: {\n b: { user = \"u\"; prt = 1; via = \"nowhere\";\n port = 0; }; };\n"
	    "tunnels: { t: { via = \"c\"; local = \"1\"; }; };\nbogus = 1;\n",
	    "x.conf", &errors));
	assert_int_equal(errors.n, 6);
	for (size_t i = 1; i < errors.n; i++)
		assert_true(errors.v[i - 1].line <= errors.v[i].line);
	char *text = config_error_text(&errors.v[5]);
	assert_string_equal(text, "x.conf:5: the configuration has no key `bogus`");
	free(text);
	config_errors_clear(&errors);
}

#define GOOD_TUNNEL(name, via) name ": { via = \"" via "\"; local = \"0\"; to = \"h:1\"; };\n"

/* What is wrong in one place hides nothing of the others, and nobody is blamed for using what could not be read. */
static void test_all_errors_come_at_once_and_none_for_another(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		int lines[5];
	} files[] = {
	    /* a loop, two on one listener, a name that is nowhere; beside one that does not parse */
	    {"hosts: { a: { via = \"b\"; }; b: { via = \"a\"; };\n c: { port = ; };\n};\n"
	     "tunnels: { t: { via = \"c\"; local = \"1\"; to = \"h:1\"; };\n"
	     "u: { via = \"a\"; local = \"1\"; to = \"h:1\"; };\n"
	     "v: { via = \"d\"; local = \"2\"; to = \"h:1\"; }; };",
		4, {1, 2, 5, 6}},
	    /* beside what is there twice, and a number that is none */
	    {"hosts: { a: { }; a: { };\n b: { port = 99999999999999999999; };\n };\n"
	     "tunnels: {" GOOD_TUNNEL("t", "a") GOOD_TUNNEL("u", "b") GOOD_TUNNEL("v", "c") "};",
		3, {1, 2, 6}},
	    /* one section that is there twice */
	    {"hosts: { a: { prot = 1; }; };\nhosts: { b: { }; };\n"
	     "tunnels: {" GOOD_TUNNEL("t", "b") "};",
		2, {1, 2}},
	    /* beside a key of the top level */
	    {"watch = ;\nhosts: { a: { prot = 1; }; };\n", 2, {1, 2}},
	    {"watch = 1 1\nhosts: { a: { prot = 1; }; };\n", 2, {1, 2}},
	    /* hosts that cannot be read, or not be found, are there */
	    {"hosts: { a = \"h\"; };\ntunnels: {" GOOD_TUNNEL("t", "a") "};", 1, {1}},
	    {"hosts: { a*: { }; };\ntunnels: {" GOOD_TUNNEL("t", "a*") "};", 1, {1}},
	    {"hosts {\n a: { }; };\ntunnels: {" GOOD_TUNNEL("t", "a") "};", 1, {1}},
	    {"host: { a: { }; };\ntunnels: {" GOOD_TUNNEL("t", "a") "};", 1, {1}},
	    {"hosts: { \"a\": { }; };\ntunnels: {" GOOD_TUNNEL("t", "a") "};", 1, {1}},
	    {"include = 7;\ntunnels: {" GOOD_TUNNEL("t", "a") "};", 1, {1}},
	    {"include = ;\ntunnels: {" GOOD_TUNNEL("t", "a") "};", 1, {1}},
	    {"include = \"/nowhere/*~\\t\";\ntunnels: {" GOOD_TUNNEL("t", "a") "};", 1, {1}},
	    /* values that are none, beside others of the same group */
	    {"hosts: { a: { user = me; port = 70000;\n prot = 1; }; };\n", 3, {1, 1, 2}},
	    {"hosts: { a: { }; };\ntunnels: { t: { via = a; local = 5000x; to = 7; }; };\n", 3,
		{2, 2, 2}},
	    {"hosts: { a: { }; };\ntunnels: { t: { via = (a); local = '1'; to = h; }; };\n", 3,
		{2, 2, 2}},
	    {"hosts: { a: { }; };\ntunnels: { t: { via = \"a\"; forwards = ( one,\n { local = "
	     "\"0\"; to = "
	     "h; },\n { prot = 1; } ); };\n u: { via = \"a\"; forwards = one; }; };\n",
		5, {2, 3, 4, 4, 5}},
	    {"include = ( /x );\nhosts: { a: { via = \"b\"; prot = 1; }; };\n", 2, {1, 2}},
	    {"hosts: { a: { user = me; host_key_alias = \"\\x01\"; }; };\n", 1, {1}},
	    {"hosts: { a: { host_key_alias = \"\\x01\"; }; };\n", 1, {1}},
	    /* defaults that are wrong are no missing keys */
	    {"tunnel_defaults: { via = 7; to = 7; };\ntunnels: { t: { local = \"0\"; }; };", 2,
		{1, 1}},
	    {"tunnel_defaults: { via = ; };\ntunnels: { t: { local = \"0\"; to = \"h:1\"; }; };", 1,
		{1}},
	    {"tunnel_defaults = ( );\ntunnels: { t: { local = \"0\"; to = \"h:1\"; }; };", 1, {1}},
	    {"host_defaults: { reconnect_max = 0.2; };\nhosts: { a: {\n reconnect_min = \"0.1\"; "
	     "}; };",
		1, {3}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct config_errors errors = {0};

		assert_null(config_read_text(files[i].text, "/f", &errors));
		bool as_wanted = errors.n == files[i].count;
		for (size_t j = 0; as_wanted && j < errors.n; j++)
			as_wanted = errors.v[j].line == files[i].lines[j];
		if (!as_wanted) {
			print_message("of: %s\n", files[i].text);
			print_errors(&errors);
		}
		assert_true(as_wanted);
		config_errors_clear(&errors);
	}
}

static void test_a_secret_in_the_wrong_place_is_not_repeated(void **state)
{
	static const char *const texts[] = {FAULTY_HOST("password = \"hunter2\";"),
	    FAULTY_HOST("password = hunter2;"), FAULTY_HOST("password = 'hunter2';"),
	    FAULTY_HOST("password = \"hunter2;"), FAULTY_HOST("password = hunter2\";"),
	    FAULTY_HOST("password \"hunter2\";"), FAULTY_HOST("passphrase: 2hunter2"),
	    FAULTY_HOST("Password = [ hunter2 ];"),
	    FAULTY_HOST("password = (\n\"hunter2\" hunter2);"),
	    FAULTY_HOST("password = \"hunter2\" 7;"), "password = hunter2;", "passphrase hunter2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config_errors errors = {0};

		assert_null(config_read_text(texts[i], "x", &errors));
		for (size_t j = 0; j < errors.n; j++)
			assert_null(strstr(errors.v[j].text, "hunter2"));
		config_errors_clear(&errors);
	}
}

/* ---- files ---- */

static char folder[] = "/tmp/adit-read-test.XXXXXX";

static char *write_file(const char *name, const char *text)
{
	char *path = str_format("%s/%s", folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void remove_file(char *path)
{
	unlink(path);
	free(path);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void test_included_files_add_hosts_and_tunnels(void **state)
{
	char *main_path = write_file(
	    "main.conf", "include = [\"a*.inc\", \"*.inc\"]; host_defaults: { user = \"d\"; };");
	char *a = write_file("a.inc", "hosts: { a: { identity = \"key\"; }; };");
	char *b = write_file("b.inc", "tunnels: { t: { via = \"a\"; socks = \"1080\"; }; };");
	struct config_errors errors = {0};
	struct config *config = config_read(main_path, NULL, &errors);

	(void)state;
	print_errors(&errors);
	assert_non_null(config);
	assert_int_equal(config->files.n, 3);
	assert_string_equal(config->path, main_path);
	assert_string_equal(config->hosts[0].user, "d");
	char *key = str_format("%s/key", folder);
	assert_string_equal(config->hosts[0].identity.v[0], key);
	assert_string_equal(config->tunnels[0].place.file, b);
	assert_int_equal(config->warnings.n, 1); /* there is no such key */
	config_unref(config);
	char *public = write_file("key.pub", "of one in an agent");
	config = config_read(main_path, NULL, &errors);
	assert_int_equal(config->warnings.n, 0);
	remove_file(public);
	free(key);
	config_unref(config);
	remove_file(main_path);
	remove_file(a);
	remove_file(b);
}

static void test_wildcards_above_the_file_and_in_variables_are_none(void **state)
{
	char *above = str_format("%s/br[1]*\\", folder);
	char *a = NULL, *b = NULL, *main_path = NULL;
	struct config_errors errors = {0};

	(void)state;
	assert_int_equal(mkdir(above, 0700), 0);
	setenv("ADIT_TEST", above, 1);
	main_path = write_file("br[1]*\\/main.conf",
	    "include = [\"a.inc\", \"${ADIT_TEST}/b*.inc\", \"*.none\", \"a\\\\.inc\"];");
	a = write_file("br[1]*\\/a.inc", "hosts: { a: { user = \"u\"; }; };");
	b = write_file("br[1]*\\/bb.inc", "hosts: { b: { user = \"u\"; }; };");
	struct config *config = config_read(main_path, NULL, &errors);
	print_errors(&errors);
	assert_non_null(config);
	assert_int_equal(config->host_count, 2);
	assert_int_equal(config->files.n, 3);
	assert_string_equal(config->files.v[1], a);
	assert_string_equal(config->files.v[2], b);
	config_unref(config);

	unlink(a);
	assert_null(config_read(main_path, NULL, &errors));
	assert_int_equal(errors.n, 1); /* though it is named twice */
	assert_non_null(strstr(errors.v[0].text, "br[1]*\\/a.inc: cannot be opened"));
	config_errors_clear(&errors);
	remove_file(main_path);
	remove_file(a);
	remove_file(b);
	rmdir(above);
	free(above);
}

/* A link to itself cannot be read by anybody, root included. */
static void test_a_folder_of_a_pattern_that_cannot_be_read_is_an_error(void **state)
{
	char *loop = str_format("%s/loop", folder);
	char *main_path = write_file("main.conf",
	    "\ninclude = [\"loop/*.inc\", \"none/*.inc\", \"main.conf/*.inc\"];" HOST
	    "tunnels: { t: { via = \"elsewhere\"; socks = \"1\"; }; };");
	struct config_errors errors = {0};

	(void)state;
	assert_int_equal(symlink(loop, loop), 0);
	assert_null(config_read(main_path, NULL, &errors));
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.v[0].line, 2);
	char *text =
	    str_format("`include`: %s: cannot be read: Too many levels of symbolic links", loop);
	assert_string_equal(errors.v[0].text, text);
	free(text);
	config_errors_clear(&errors);
	remove_file(main_path);
	remove_file(loop);
}

static void test_a_pipe_among_the_included_files_is_not_waited_for(void **state)
{
	char *pipe = str_format("%s/p.inc", folder);
	char *null = str_format("%s/q.inc", folder);
	char *main_path = write_file("main.conf", "\ninclude = \"*.inc\";");
	struct config_errors errors = {0};

	(void)state;
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(symlink("/dev/null", null), 0);
	assert_null(config_read(main_path, NULL, &errors));
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.v[0].line, 2);
	char *text = str_format("`include`: %s: not a regular file", pipe);
	assert_string_equal(errors.v[0].text, text);
	free(text);
	config_errors_clear(&errors);
	remove_file(main_path);
	remove_file(pipe);
	remove_file(null);
}

static void test_a_main_file_may_be_a_pipe(void **state)
{
	static const char text[] = HOST;
	struct config_errors errors = {0};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	char *path = str_format("/dev/fd/%d", ends[0]);
	struct config *config = config_read(path, NULL, &errors);
	print_errors(&errors);
	assert_non_null(config);
	assert_int_equal(config->host_count, 1);
	config_unref(config);
	close(ends[0]);
	free(path);
}

static void test_a_pipe_is_not_read_again(void **state)
{
	char *pipe = str_format("%s/adit.conf", folder);
	struct config_errors errors = {0};

	(void)state;
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_null(config_read_again(pipe, NULL, &errors));
	assert_int_equal(errors.n, 1);
	assert_string_equal(errors.v[0].file, pipe);
	assert_string_equal(errors.v[0].text, "not a regular file");
	config_errors_clear(&errors);
	remove_file(pipe);
}

static void assert_error(const struct config_errors *errors, size_t i, int line, const char *text)
{
	if (i >= errors->n)
		fail_msg("%zu errors, not `%s`", errors->n, text);
	assert_string_equal(errors->v[i].text, text);
	assert_int_equal(errors->v[i].line, line);
}

static bool knows_no_x(const char *key, const char *name)
{
	(void)key;
	return *name != 'x';
}

static int refuse_pin(const char *pin, struct err *e)
{
	(void)pin;
	return err_set(e, ERR_CONFIG, "too short");
}

static void test_names_of_algorithms_are_told_with_all_that_is_wrong(void **state)
{
	static const struct config_algorithms algorithms = {knows_no_x, NULL, refuse_pin};
	char *path = write_file("main.conf", "log_level = \"x\";\nhosts: { h: {\nkex = \"x\";\n"
					     "host_key = \"ssh-ed25519 AAAA\";\nprot = 1; }; };");
	struct config_errors errors = {0};

	(void)state;
	assert_null(config_read(path, &algorithms, &errors));
	assert_int_equal(errors.n, 4);
	assert_error(&errors, 1, 3, "`kex`: unknown algorithm `x`");
	assert_error(&errors, 2, 4, "too short");
	config_errors_clear(&errors);
	remove_file(path);

	/* and of a default once, however many hosts have it */
	static const char *const hosts[] = {"", "hosts: { a: {}; b: {}; c: { macs = \"y\"; }; };"};
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		char *text = str_format("host_defaults: { user = \"u\";\nmacs = [\"x\", \"y\"]; "
					"ciphers = \"xx\"; };\n%s",
		    hosts[i]);
		path = write_file("main.conf", text);
		assert_null(config_read(path, &algorithms, &errors));
		assert_int_equal(errors.n, 2);
		assert_error(&errors, 0, 2, "`ciphers`: unknown algorithm `xx`");
		assert_error(&errors, 1, 2, "`macs`: unknown algorithm `x`");
		config_errors_clear(&errors);
		remove_file(path);
		free(text);
	}
}

static void test_a_fault_in_a_default_is_told_once_and_there(void **state)
{
	struct config_errors errors = {0};

	(void)state;
	assert_null(config_read_text("host_defaults: { user = \"u\";\nvia = \"nope\";\n"
				     "reconnect_min = 5; reconnect_max = 4; };\n"
				     "tunnel_defaults: {\nvia = \"gone\"; };\n"
				     "hosts: { a: {}; b: {}; c: {}; };\n"
				     "tunnels: { t: { socks = \"1\"; }; u: { socks = \"2\"; }; };",
	    "f", &errors));
	assert_int_equal(errors.n, 3);
	assert_error(&errors, 0, 2, "`via`: there is no host `nope`");
	assert_error(&errors, 1, 3, "`reconnect_min` is more than `reconnect_max`, which is 4");
	assert_error(&errors, 2, 5, "`via`: there is no host `gone`");
	config_errors_clear(&errors);
}

static void test_the_reconnect_time_that_stands_there_is_blamed(void **state)
{
	struct config_errors errors = {0};

	(void)state;
	assert_null(config_read_text("host_defaults: { user = \"u\"; reconnect_min = 2; };\n"
				     "hosts: { a: {\nreconnect_max = 0.2; };\n"
				     "b: {\nreconnect_min = 31; }; };",
	    "f", &errors));
	assert_int_equal(errors.n, 2);
	assert_error(&errors, 0, 3, "`reconnect_max` is less than `reconnect_min`, which is 2");
	assert_error(&errors, 1, 5, "`reconnect_min` is more than `reconnect_max`, which is 30");
	config_errors_clear(&errors);
}

static void test_listeners_that_meet_behind_links_are_one(void **state)
{
	char *link = str_format("%s/link", folder), *sub = str_format("%s/sub", folder);
	char *text = str_format("control_socket = \"%s/ctl\";\n"
				"hosts: { b: { user = \"u\"; }; };\ntunnels: {\n"
				"t: { via = \"b\"; socks = \"unix:%s/x\"; };\n"
				"u: { via = \"b\"; socks = \"unix:%s/sub/../x\"; };\n"
				"v: { via = \"b\"; socks = \"unix:%s/link/ctl\"; };\n"
				"w: { via = \"b\"; remote = \"unix:%s/link/x\"; to = \"h:1\"; };\n"
				"x: { via = \"b\"; socks = \"unix:%s/none/../x\"; }; };",
	    folder, folder, folder, folder, folder, folder);
	struct config_errors errors = {0};

	(void)state;
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(symlink(folder, link), 0);
	assert_null(config_read_text(text, "f", &errors));
	assert_int_equal(errors.n, 2);
	assert_int_equal(errors.v[0].line, 5);
	assert_int_equal(errors.v[1].line, 6);
	config_errors_clear(&errors);
	rmdir(sub);
	remove_file(link);
	free(sub);
	free(text);
}

static void test_a_name_in_two_files_names_both_places(void **state)
{
	char *main_path =
	    write_file("main.conf", "include = \"*.inc\";\n\nhosts: { a: { user = \"u\"; }; };");
	char *a = write_file("a.inc", "\nhosts: { a: { user = \"u\"; }; };\nlog_level = \"info\";");
	char *b = write_file("b.inc", "hosts: {");
	struct config_errors errors = {0};

	(void)state;
	assert_null(config_read(main_path, NULL, &errors));
	assert_int_equal(errors.n, 3);
	assert_string_equal(errors.v[0].file, a);
	assert_int_equal(errors.v[0].line, 2);
	char *first = str_format("`a` is defined twice: first at %s:3", main_path);
	assert_string_equal(errors.v[0].text, first);
	free(first);
	assert_int_equal(errors.v[1].line, 3);
	assert_non_null(strstr(errors.v[1].text, "only `hosts` and `tunnels`"));
	assert_string_equal(errors.v[2].file, b);
	config_errors_clear(&errors);
	remove_file(main_path);
	remove_file(a);
	remove_file(b);
}

static void test_a_file_that_cannot_be_read_is_named(void **state)
{
	struct config_errors errors = {0};

	(void)state;
	assert_null(config_read("/nonexistent/adit.conf", NULL, &errors));
	assert_null(config_read(folder, NULL, &errors));
	assert_int_equal(errors.n, 2);
	char *text = config_error_text(&errors.v[0]);
	assert_string_equal(
	    text, "/nonexistent/adit.conf: cannot be opened: No such file or directory");
	free(text);
	config_errors_clear(&errors);
}

static void test_a_zero_byte_is_an_error_with_its_line(void **state)
{
	char *path = write_file("zero.conf", "");
	FILE *file = fopen(path, "w");
	struct config_errors errors = {0};

	(void)state;
	fwrite("watch = true;\n\0log", 1, 18, file);
	fclose(file);
	assert_null(config_read(path, NULL, &errors));
	assert_int_equal(errors.v[0].line, 2);
	assert_non_null(strstr(errors.v[0].text, "not a text file"));
	config_errors_clear(&errors);
	remove_file(path);
}

/* ---- what is installed ---- */

static char *installed_text(const char *name)
{
	char *path = str_format("%s/%s", getenv("top_srcdir") ? getenv("top_srcdir") : ".", name);
	FILE *file = fopen(path, "r");
	struct strbuf text = {0};
	char piece[4096];
	size_t n;

	if (!file)
		fail_msg("%s cannot be opened", path);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		strbuf_add_n(&text, piece, n);
	fclose(file);
	free(path);
	return strbuf_take(&text);
}

static void test_the_example_file_reads_without_errors_or_warnings(void **state)
{
	char *text = installed_text("conf/adit.conf");
	struct config *config = read_good(text);

	(void)state;
	assert_int_equal(config->warnings.n, 0);
	assert_int_equal(config->host_count, 2);
	assert_int_equal(config->tunnel_count, 3);
	config_unref(config);
	free(text);
}

static void test_the_examples_of_the_man_page_read_without_errors(void **state)
{
	char *page = installed_text("conf/adit.conf.5");
	char *p = strstr(page, ".Sh EXAMPLES");
	int count = 0;

	(void)state;
	assert_non_null(p);
	while ((p = strstr(p, "\n.Bd"))) {
		char *begin = strchr(p + 1, '\n') + 1;
		char *end = strstr(begin, "\n.Ed");
		assert_non_null(end);
		*end = '\0';
		config_unref(read_good(begin));
		count++;
		p = end + 1;
	}
	assert_int_equal(count, 2);
	free(page);
}

/* A key that a user cannot look up is not there. */
static void test_the_man_page_has_every_key(void **state)
{
	const struct key_table *tables[] = {&keys_top, &keys_host, &keys_tunnel, &keys_forward};
	char *page = installed_text("conf/adit.conf.5");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		for (size_t j = 0; j < tables[i]->count; j++) {
			const char *name = tables[i]->keys[j].name;
			bool found = false;
			for (char *p = page; !found && (p = strstr(p, "\n.It Ic ")); p++) {
				char *line = mem_strndup(p + 1, strcspn(p + 1, "\n"));
				char *rest = line, *word;
				while ((word = strtok_r(rest, " ", &rest)))
					found = found || strcmp(word, name) == 0;
				free(line);
			}
			if (!found)
				fail_msg("adit.conf(5) says nothing about `%s`", name);
		}
	}
	free(page);
}

static void test_the_file_that_a_command_reads(void **state)
{
	char *path;

	(void)state;
	path = config_default_path("given");
	assert_string_equal(path, "given");
	free(path);
	setenv("ADIT_CONFIG", "/from/environment", 1);
	path = config_default_path(NULL);
	assert_string_equal(path, "/from/environment");
	free(path);
	assert_string_equal(config_named_path(NULL), "/from/environment");
	assert_string_equal(config_named_path("given"), "given");
	setenv("ADIT_CONFIG", "", 1);
	assert_null(config_named_path(NULL));
	if (geteuid() == 0) {
		path = config_default_path(NULL);
		assert_string_equal(path, "/etc/adit/adit.conf");
		free(path);
	}
	unsetenv("ADIT_CONFIG");
	assert_null(config_named_path(NULL));
	if (geteuid() == 0) {
		path = config_default_path(NULL);
		assert_string_equal(path, "/etc/adit/adit.conf");
		free(path);
	}
}

/* ---- algorithms, known by whoever calls ---- */

static bool knows_aes(const char *key, const char *name)
{
	return strcmp(key, "ciphers") != 0 || strcmp(name, "aes128-ctr") == 0;
}

static const char *nearest_is_aes(const char *key, const char *name)
{
	(void)key;
	(void)name;
	return "aes128-ctr";
}

static void test_unknown_algorithms_are_named_by_who_knows_them(void **state)
{
	const struct config_algorithms algorithms = {knows_aes, nearest_is_aes, NULL};
	struct config_errors errors = {0};
	struct config *config = read_good(
	    FAULTY_HOST("\n\nciphers = [\"aes128-ctr\",\n\"aes128-crt\"\n]; macs = \"x\";"));

	(void)state;
	config_check_algorithms(config, &algorithms, &errors);
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.v[0].line, 5);
	assert_string_equal(errors.v[0].text,
	    "`ciphers`: unknown algorithm `aes128-crt`; did you mean `aes128-ctr`?");
	config_errors_clear(&errors);
	config_unref(config);
}

static int refuse_short(const char *pin, struct err *e)
{
	return strlen(pin) > 20 ? 0 : err_set(e, ERR_CONFIG, "host_key \"%s\": too short", pin);
}

static void test_pins_that_cannot_be_read_are_named_by_who_reads_them(void **state)
{
	const struct config_algorithms algorithms = {knows_aes, NULL, refuse_short};
	struct config_errors errors = {0};
	struct config *config = read_good(
	    FAULTY_HOST("\nhost_key = [\"SHA256:uNiVztksCsDhcc0u9e8BrUQXVUpKZIDTMczCvj3tD2s\",\n"
			"\"ssh-ed25519 AAAA\"\n];"));

	(void)state;
	config_check_algorithms(config, &algorithms, &errors);
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.v[0].line, 4);
	assert_string_equal(errors.v[0].text, "host_key \"ssh-ed25519 AAAA\": too short");
	config_errors_clear(&errors);
	config_unref(config);
}

/* ---- cut short ---- */

static void test_every_prefix_is_read_or_refused(void **state)
{
	char *text = mem_strdup(example);

	(void)state;
	for (size_t n = strlen(text); n-- > 0;) {
		struct config_errors errors = {0};
		text[n] = '\0';
		struct config *config = config_read_text(text, "x", &errors);
		assert_int_equal(config == NULL, errors.n > 0);
		config_unref(config);
		config_errors_clear(&errors);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_example_reads_as_written),
	    cmocka_unit_test(test_defaults_are_those_of_the_documentation),
	    cmocka_unit_test(test_every_key_is_read),
	    cmocka_unit_test(test_defaults_of_the_file_reach_every_host_and_tunnel_where_they_fit),
	    cmocka_unit_test(test_a_time_that_is_very_short_is_not_never),
	    cmocka_unit_test(test_paths_are_expanded_and_dollars_can_be_written),
	    cmocka_unit_test(test_the_path_of_the_control_socket_is_expanded_once),
	    cmocka_unit_test(test_credentials_are_files_of_the_credentials_directory),
	    cmocka_unit_test(test_an_open_listener_without_allow_is_a_warning),
	    cmocka_unit_test(test_the_same_remote_listener_on_two_hosts_is_fine),
	    cmocka_unit_test(test_all_addresses_of_one_family_leave_the_other_free),
	    cmocka_unit_test(test_a_server_may_listen_on_names_and_short_forms),
	    cmocka_unit_test(test_paths_that_only_look_alike_are_two_listeners),
	    cmocka_unit_test(test_a_snapshot_lives_until_its_last_user_is_gone),
	    cmocka_unit_test(test_every_fault_is_named_with_its_line),
	    cmocka_unit_test(test_one_fault_is_one_error),
	    cmocka_unit_test(test_listeners_on_several_servers_are_told_once_each),
	    cmocka_unit_test(test_the_first_errors_alone_have_hints),
	    cmocka_unit_test(test_all_errors_come_in_the_order_of_the_lines),
	    cmocka_unit_test(test_names_of_algorithms_are_told_with_all_that_is_wrong),
	    cmocka_unit_test(test_a_fault_in_a_default_is_told_once_and_there),
	    cmocka_unit_test(test_listeners_that_meet_behind_links_are_one),
	    cmocka_unit_test(test_the_reconnect_time_that_stands_there_is_blamed),
	    cmocka_unit_test(test_all_errors_come_at_once_and_none_for_another),
	    cmocka_unit_test(test_a_secret_in_the_wrong_place_is_not_repeated),
	    cmocka_unit_test(test_included_files_add_hosts_and_tunnels),
	    cmocka_unit_test(test_wildcards_above_the_file_and_in_variables_are_none),
	    cmocka_unit_test(test_a_folder_of_a_pattern_that_cannot_be_read_is_an_error),
	    cmocka_unit_test(test_a_pipe_among_the_included_files_is_not_waited_for),
	    cmocka_unit_test(test_a_main_file_may_be_a_pipe),
	    cmocka_unit_test(test_a_pipe_is_not_read_again),
	    cmocka_unit_test(test_a_name_in_two_files_names_both_places),
	    cmocka_unit_test(test_a_file_that_cannot_be_read_is_named),
	    cmocka_unit_test(test_a_zero_byte_is_an_error_with_its_line),
	    cmocka_unit_test(test_the_example_file_reads_without_errors_or_warnings),
	    cmocka_unit_test(test_the_examples_of_the_man_page_read_without_errors),
	    cmocka_unit_test(test_the_man_page_has_every_key),
	    cmocka_unit_test(test_the_file_that_a_command_reads),
	    cmocka_unit_test(test_unknown_algorithms_are_named_by_who_knows_them),
	    cmocka_unit_test(test_pins_that_cannot_be_read_are_named_by_who_reads_them),
	    cmocka_unit_test(test_every_prefix_is_read_or_refused),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
