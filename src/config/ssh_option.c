/*
 * A table of keywords: what each becomes, or why it cannot.
 */
#include "config/ssh_option.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/endpoint.h"
#include "config/keys.h"
#include "config/ssh_value.h"

struct option;
typedef void option_reader(
    struct ssh_import *import, const struct option *option, const char *value);

enum option_flag {
	OPTION_MANY = 1,   /* every value counts, not the first alone */
	OPTION_TOKENS = 2, /* which stand for options that may come later */
	OPTION_WORDS = 4   /* several values, each of which may have quotes */
};

struct option {
	const char *keyword; /* lower case */
	option_reader *read;
	size_t offset;    /* in struct config_host */
	const char *fine; /* words that change nothing, between bars: "|no|none|" */
	const char *key;  /* of ours, for messages and algorithms */
	unsigned flags;
};

static bool is_said(const struct config_errors *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].text, text) == 0)
			return true;
	return false;
}

/* Once: a jump host may be met many times. */
static void say(const struct ssh_import *import, struct config_errors *list, const char *keyword,
    const char *value, const char *why)
{
	char *text = str_format("%s%s%s%s %s%s%s", import->is_jump ? "jump host " : "",
	    import->is_jump ? import->alias : "", import->is_jump ? ": " : "", keyword, value,
	    why ? ": " : "", why ? why : "");

	if (!is_said(list, text))
		config_errors_add(list, NULL, 0, "%s", text);
	free(text);
}

void ssh_option_note(
    struct ssh_import *import, const char *keyword, const char *value, const char *why)
{
	say(import, import->notes, keyword, value, why);
}

void ssh_option_fail(
    struct ssh_import *import, const char *keyword, const char *value, const char *why)
{
	say(import, import->errors, keyword, value, why);
}

#define TEXT(import, option) (*(char **)(void *)((char *)&(import)->host + (option)->offset))
#define WORDS(import, option) \
	((struct config_strings *)(void *)((char *)&(import)->host + (option)->offset))

/* ---- readers ---- */

/* Fine with some values, and otherwise a thing that we do not do. */
static void read_fine(struct ssh_import *import, const struct option *option, const char *value)
{
	char *word = str_format("|%s|", value);

	for (char *p = word; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!strstr(option->fine, word))
		ssh_option_note(import, option->keyword, value, option->key);
	free(word);
}

static void read_text(struct ssh_import *import, const struct option *option, const char *value)
{
	free(TEXT(import, option));
	TEXT(import, option) = mem_strdup(value);
}

/* What ssh prints has no tokens any more, but perhaps the zone of an IPv6 address. */
static void read_address(struct ssh_import *import, const struct option *option, const char *value)
{
	char *address =
	    import->source == SSH_PRINTED ? mem_strdup(value) : ssh_option_tokens(import, value);

	if (address && endpoint_host_is_valid(address))
		read_text(import, option, address);
	else
		ssh_option_fail(import, option->keyword, value, "neither a name nor an address");
	free(address);
}

static void read_bind_address(
    struct ssh_import *import, const struct option *option, const char *value)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, value, &address) == 1 || inet_pton(AF_INET6, value, &address) == 1)
		read_text(import, option, value);
	else
		ssh_option_note(
		    import, option->keyword, value, "`bind_address` takes an IP address");
}

static void read_port(struct ssh_import *import, const struct option *option, const char *value)
{
	uint64_t port;

	if (str_to_u64(value, 1, 65535, &port))
		import->host.port = (uint16_t)port;
	else
		ssh_option_fail(import, option->keyword, value, "not a port");
}

/* Within the limits of our key of that name, the nearest value that it can have; which is said. */
static double clamp_to_key(
    struct ssh_import *import, const struct option *option, const char *name, double value)
{
	const struct key *key = key_find(&keys_host, name);
	double nearest = value < key->min ? key->min : value > key->max ? key->max : value;

	if (nearest != value) {
		char *given = str_format("%.0f", value);
		char *why = str_format("`%s` is %g then, the %s that it can be", name, nearest,
		    nearest < value ? "most" : "least");
		ssh_option_note(import, option->keyword, given, why);
		free(given);
		free(why);
	}
	return nearest;
}

static void read_seconds(struct ssh_import *import, const struct option *option, const char *value)
{
	uint64_t *ms = (uint64_t *)(void *)((char *)&import->host + option->offset);
	uint64_t seconds;

	if (strcasecmp(value, "none") == 0)
		return;
	if (ssh_value_time(value, &seconds))
		*ms = (uint64_t)(clamp_to_key(import, option, option->key, (double)seconds) * 1000);
	else
		ssh_option_fail(import, option->keyword, value, "not a time");
}

/* 0 is no limit to ssh but the kernel's. */
static void read_connect_timeout(
    struct ssh_import *import, const struct option *option, const char *value)
{
	uint64_t seconds;

	if (!ssh_value_time(value, &seconds) || seconds > 0)
		read_seconds(import, option, value);
}

static void read_alive_count(
    struct ssh_import *import, const struct option *option, const char *value)
{
	uint64_t count;

	if (str_to_u64(value, 0, INT32_MAX, &count))
		import->host.keepalive_count =
		    (unsigned)clamp_to_key(import, option, "keepalive_count", (double)count);
	else
		ssh_option_fail(import, option->keyword, value, "not a number");
}

static void read_bool(struct ssh_import *import, const struct option *option, const char *value)
{
	bool *target = (bool *)(void *)((char *)&import->host + option->offset);

	if (ssh_value_is_true(value) || ssh_value_is_false(value))
		*target = ssh_value_is_true(value);
	else
		ssh_option_note(import, option->keyword, value, NULL);
}

static void read_algorithms(
    struct ssh_import *import, const struct option *option, const char *value)
{
	ssh_option_algorithms(import, option->keyword, option->key, WORDS(import, option), value);
}

static void read_path(struct ssh_import *import, const struct option *option, const char *value)
{
	ssh_option_add_path(import, option->keyword, WORDS(import, option), value);
}

static void read_identity(struct ssh_import *import, const struct option *option, const char *value)
{
	if (strcasecmp(value, "none") == 0)
		import->no_identity = true;
	else
		read_path(import, option, value);
}

static void read_identities_only(
    struct ssh_import *import, const struct option *option, const char *value)
{
	(void)option;
	import->identities_only = ssh_value_is_true(value);
}

static void read_user_known_hosts(
    struct ssh_import *import, const struct option *option, const char *value)
{
	if (strcmp(value, "/dev/null") == 0) {
		ssh_option_note(import, option->keyword, value,
		    "the key that adit checks has to stand in a file");
		value = "~/.ssh/known_hosts";
	}
	ssh_option_add_paths(import, option->keyword, &import->user_known_hosts, value);
}

static void read_system_known_hosts(
    struct ssh_import *import, const struct option *option, const char *value)
{
	ssh_option_add_paths(import, option->keyword, &import->system_known_hosts, value);
}

static void read_agent(struct ssh_import *import, const struct option *option, const char *value)
{
	struct config_host *host = &import->host;
	bool is_name = *value == '$' && value[1] != '{';
	const char *path = is_name ? getenv(value + 1) : value;

	free(host->agent_path);
	host->agent_path = NULL;
	host->agent = CONFIG_AGENT_ENVIRONMENT;
	if (strcmp(value, "SSH_AUTH_SOCK") == 0 || strcmp(value, "$SSH_AUTH_SOCK") == 0)
		return;
	if (strcasecmp(value, "none") == 0) {
		host->agent = CONFIG_AGENT_NONE;
	} else if (!path) {
		ssh_option_note(import, option->keyword, value, "the variable is not set");
	} else if ((host->agent_path = ssh_option_path(import, option->keyword, path))) {
		host->agent = CONFIG_AGENT_PATH;
	}
}

static void read_forward_agent(
    struct ssh_import *import, const struct option *option, const char *value)
{
	if (ssh_value_is_true(value) || ssh_value_is_false(value))
		import->host.forward_agent = ssh_value_is_true(value);
	else
		ssh_option_note(
		    import, option->keyword, value, "adit forwards the agent that it uses itself");
}

static void read_host_key_checking(
    struct ssh_import *import, const struct option *option, const char *value)
{
	bool is_off = strcasecmp(value, "off") == 0 || ssh_value_is_false(value);

	if (strcasecmp(value, "accept-new") == 0)
		import->host.host_key_check = CONFIG_CHECK_ACCEPT_NEW;
	else if (is_off && import->source == SSH_PRINTED)
		/* A person reads what comes of it, before it runs; and until the key is known it does not connect. */
		ssh_option_note(import, option->keyword, value,
		    "adit always checks the host's key, which has to stand in known_hosts");
	else if (is_off)
		ssh_option_fail(import, option->keyword, value,
		    "refused: without this check anybody on the way can read and change all that "
		    "the tunnel "
		    "carries; `accept-new` trusts a host at the first time only");
	else if (strcasecmp(value, "ask") == 0 || ssh_value_is_true(value))
		import->host.host_key_check = CONFIG_CHECK_STRICT;
	else
		ssh_option_fail(import, option->keyword, value, "not yes, ask or accept-new");
}

/* "default", "1G", and after it a time or "none" */
static void read_rekey_limit(
    struct ssh_import *import, const struct option *option, const char *value)
{
	size_t n = strcspn(value, " \t");
	const char *time = value + n + strspn(value + n, " \t");
	char *size = mem_strndup(value, n);
	uint64_t bytes, seconds;
	bool valid = true;

	if (ssh_value_bytes(size, &bytes))
		import->host.rekey_bytes =
		    (uint64_t)clamp_to_key(import, option, "rekey_bytes", (double)bytes);
	else if (strcasecmp(size, "default") != 0 && strcmp(size, "0") != 0)
		valid = false;
	if (*time && strcasecmp(time, "none") != 0 && strcmp(time, "0") != 0) {
		valid = valid && ssh_value_time(time, &seconds);
		if (valid)
			import->host.rekey_interval_ms =
			    (uint64_t)(clamp_to_key(
					   import, option, "rekey_interval", (double)seconds) *
				       1000);
	}
	if (!valid)
		ssh_option_fail(import, option->keyword, value, "not a number of bytes and a time");
	free(size);
}

static void read_proxy_jump(
    struct ssh_import *import, const struct option *option, const char *value)
{
	if (strcasecmp(value, "none") == 0)
		return;
	import->proxy_jump = ssh_option_tokens(import, value);
	if (!import->proxy_jump)
		ssh_option_fail(import, option->keyword, value, "a token that is not known here");
}

/* As a file from before ProxyJump has it, perhaps. */
static void read_proxy_command(
    struct ssh_import *import, const struct option *option, const char *value)
{
	char *jump = ssh_value_jump(value);

	if (jump)
		ssh_import_option(import, "proxyjump", jump);
	else if (strcasecmp(value, "none") != 0)
		ssh_option_note(import, option->keyword, value,
		    "adit runs no other programs; a jump host (ProxyJump) it knows");
	free(jump);
}

static void read_log_level(
    struct ssh_import *import, const struct option *option, const char *value)
{
	(void)option;
	if (strncasecmp(value, "debug", 5) == 0)
		import->log_level = LOG_LEVEL_DEBUG;
	else if (strcasecmp(value, "quiet") == 0 || strcasecmp(value, "fatal") == 0 ||
		 strcasecmp(value, "error") == 0)
		import->log_level = LOG_LEVEL_ERROR;
}

static void read_gateway_ports(
    struct ssh_import *import, const struct option *option, const char *value)
{
	(void)option;
	import->bind = ssh_value_is_true(value) ? SSH_BIND_ALL : SSH_BIND_LOOPBACK;
}

/* A path that ssh prints has no backslash before its colons any more. */
static void add_side(struct strbuf *spec, const struct ssh_import *import, const char *side)
{
	bool is_path = import->source == SSH_PRINTED && *side != '[' && strchr(side, '/');

	for (; *side; side++) {
		if (is_path && (*side == ':' || *side == '\\'))
			strbuf_add(spec, "\\");
		strbuf_add_n(spec, side, 1);
	}
}

/* As `ssh -G` and files have a forward, the two sides stand apart: "8080 host:80", "[::1]:8080 [host]:80", "1080". */
static void read_forward(struct ssh_import *import, const struct option *option, const char *value)
{
	enum ssh_forward_option kind =
	    strcmp(option->keyword, "localforward") == 0    ? SSH_LOCAL_FORWARD
	    : strcmp(option->keyword, "remoteforward") == 0 ? SSH_REMOTE_FORWARD
							    : SSH_DYNAMIC_FORWARD;
	size_t n = strcspn(value, " \t");
	const char *rest = value + n + strspn(value + n, " \t");
	/* `ssh -G` prints "[socks]:0" as the target of a remote forward that has none */
	bool socks = strcmp(rest, "[socks]:0") == 0;
	const char *more = rest + strcspn(rest, " \t");

	if (import->is_jump)
		return;
	if (more[strspn(more, " \t")]) {
		ssh_option_note(import, option->keyword, value,
		    "a path with a space: which words belong together cannot be seen");
		return;
	}
	char *listen = mem_strndup(value, n);
	struct strbuf spec = {0};
	add_side(&spec, import, listen);
	if (*rest && !socks) {
		strbuf_add(&spec, ":");
		add_side(&spec, import, rest);
	}
	ssh_import_forward(import, kind, strbuf_text(&spec));
	strbuf_clear(&spec);
	free(listen);
}

static void read_clear_forwards(
    struct ssh_import *import, const struct option *option, const char *value)
{
	(void)option;
	import->clear_forwards = ssh_value_is_true(value);
}

static void read_ignore_unknown(
    struct ssh_import *import, const struct option *option, const char *value)
{
	(void)option;
	import->may_be_unknown = mem_strdup(value);
}

static bool is_our_method(struct span name)
{
	return span_is(name, "publickey") || span_is(name, "password") ||
	       span_is(name, "keyboard-interactive");
}

/* Of what adit can do, a key is what it tries first. */
static void read_preferred(
    struct ssh_import *import, const struct option *option, const char *value)
{
	struct span list = span_of(value), name = {0};

	while (name_list_next(&list, &name))
		if (is_our_method(name))
			break;
	if (!span_is(name, "publickey"))
		ssh_option_note(import, option->keyword, value,
		    "adit logs in by key first, then by `password` where that is set");
}

static void read_family(struct ssh_import *import, const struct option *option, const char *value)
{
	if (strcasecmp(value, "any") == 0)
		return;
	import->family = strcasecmp(value, "inet") == 0    ? SSH_INET
			 : strcasecmp(value, "inet6") == 0 ? SSH_INET6
							   : SSH_ANY_FAMILY;
	if (import->family == SSH_ANY_FAMILY)
		ssh_option_fail(import, option->keyword, value, "not any, inet or inet6");
	else
		ssh_option_note(import, option->keyword, value,
		    "it holds for what listens here; to connect, adit tries all addresses of a "
		    "name");
}

static void read_remote_open(
    struct ssh_import *import, const struct option *option, const char *value)
{
	(void)option;
	if (strcasecmp(value, "any") != 0)
		import->remote_open = mem_strdup(value);
}

static void read_bind_mask(
    struct ssh_import *import, const struct option *option, const char *value)
{
	char *end;
	unsigned long mask = strtoul(value, &end, 8);

	if (import->is_jump)
		return;
	if (*end || mask > 0777)
		ssh_option_fail(import, option->keyword, value, "not an octal mask");
	else if ((mask & 0222) == 0222 && import->source == SSH_PRINTED)
		ssh_option_note(import, option->keyword, value, "nobody could connect");
	else if ((mask & 0222) == 0222)
		ssh_option_fail(import, option->keyword, value, "nobody could connect");
	else
		import->bind_mode = (mode_t)(0666 & ~mask);
}

static void read_exit_on_failure(
    struct ssh_import *import, const struct option *option, const char *value)
{
	import->exit_on_failure = ssh_value_is_true(value);
	if (import->exit_on_failure && !import->is_jump)
		ssh_option_note(import, option->keyword, value,
		    "adit says which forward failed, and asks for it again until it works");
}

static void read_unsupported(
    struct ssh_import *import, const struct option *option, const char *value)
{
	ssh_option_note(import, option->keyword, value, option->key);
}

#define HOST(field) offsetof(struct config_host, field)
/* The address first, of which tokens of the others speak; else in no order that means anything. */
static const struct option options[] = {
    {"hostname", read_address, .offset = HOST(address), .flags = OPTION_TOKENS},
    {"user", read_text, .offset = HOST(user)},
    {"port", read_port},
    {"bindaddress", read_bind_address, .offset = HOST(bind_address)},
    {"hostkeyalias", read_text, .offset = HOST(host_key_alias)},
    {"connecttimeout", read_connect_timeout, .offset = HOST(connect_timeout_ms),
	.key = "connect_timeout"},
    {"serveraliveinterval", read_seconds, .offset = HOST(keepalive_interval_ms),
	.key = "keepalive_interval"},
    {"serveralivecountmax", read_alive_count},
    {"stricthostkeychecking", read_host_key_checking},
    {"userknownhostsfile", read_user_known_hosts, .flags = OPTION_TOKENS | OPTION_WORDS},
    {"globalknownhostsfile", read_system_known_hosts, .flags = OPTION_TOKENS | OPTION_WORDS},
    {"revokedhostkeys", read_path, .offset = HOST(revoked_keys), .flags = OPTION_TOKENS},
    {"updatehostkeys", read_bool, .offset = HOST(update_host_keys)},
    {"identityfile", read_identity, .offset = HOST(identity), .flags = OPTION_MANY | OPTION_TOKENS},
    {"identitiesonly", read_identities_only},
    {"certificatefile", read_path, .offset = HOST(certificate),
	.flags = OPTION_MANY | OPTION_TOKENS},
    {"identityagent", read_agent, .flags = OPTION_TOKENS},
    {"forwardagent", read_forward_agent},
    {"kexalgorithms", read_algorithms, .offset = HOST(kex), .key = "kex"},
    {"ciphers", read_algorithms, .offset = HOST(ciphers), .key = "ciphers"},
    {"macs", read_algorithms, .offset = HOST(macs), .key = "macs"},
    {"hostkeyalgorithms", read_algorithms, .offset = HOST(host_key_algorithms),
	.key = "host_key_algorithms"},
    {"pubkeyacceptedalgorithms", read_unsupported,
	.key = "adit offers every key that it has; RSA signs with SHA-2 alone"},
    {"pubkeyacceptedkeytypes", read_unsupported,
	.key = "adit offers every key that it has; RSA signs with SHA-2 alone"},
    {"casignaturealgorithms", read_unsupported,
	.key = "adit takes a CA's signature of any kind but SHA-1's"},
    {"rekeylimit", read_rekey_limit},
    {"proxyjump", read_proxy_jump, .flags = OPTION_TOKENS},
    {"proxycommand", read_proxy_command},
    {"loglevel", read_log_level},
    {"gatewayports", read_gateway_ports},
    {"addressfamily", read_family},
    {"localforward", read_forward, .flags = OPTION_MANY},
    {"remoteforward", read_forward, .flags = OPTION_MANY},
    {"dynamicforward", read_forward, .flags = OPTION_MANY},
    {"permitremoteopen", read_remote_open},
    {"streamlocalbindmask", read_bind_mask},
    {"exitonforwardfailure", read_exit_on_failure},

    /* what we do not do, and values with which that makes no difference */
    {"pubkeyauthentication", read_fine, .fine = "|yes|true|unbound|host-bound|",
	.key = "adit logs in by key first"},
    {"dsaauthentication", read_fine, .fine = "|yes|true|", .key = "adit logs in by key first"},
    {"preferredauthentications", read_preferred},
    {"hostbasedauthentication", read_fine, .fine = "|no|false|",
	.key = "adit logs in by key or password"},
    {"gssapiauthentication", read_fine, .fine = "|no|false|", .key = "adit does not speak GSSAPI"},
    {"clearallforwardings", read_clear_forwards},
    {"ignoreunknown", read_ignore_unknown},
    {"compression", read_fine, .fine = "|no|false|", .key = "adit does not compress"},
    {"checkhostip", read_fine, .fine = "|no|false|",
	.key = "adit looks for the host's name in known_hosts, not for its address"},
    {"ipqos", read_unsupported, .key = "adit marks no packets"},
    {"tcpkeepalive", read_fine, .fine = "|yes|true|",
	.key = "adit has the kernel look after its connections, too"},
    {"controlmaster", read_fine, .fine = "|no|false|auto|",
	.key = "tunnels share a link by themselves"},
    {"forkafterauthentication", read_fine, .fine = "|no|false|",
	.key = "adit stays in the foreground; a service manager puts it into the background"},
    {"forwardx11", read_fine, .fine = "|no|false|", .key = "adit forwards no X11"},
    {"addkeystoagent", read_fine, .fine = "|no|false|", .key = "adit puts no keys into an agent"},
    {"canonicalizehostname", read_fine, .fine = "|no|false|none|"},
    {"nohostauthenticationforlocalhost", read_fine, .fine = "|no|false|",
	.key = "adit always checks the host key"},
    {"verifyhostkeydns", read_fine, .fine = "|no|false|"},
    {"tunnel", read_fine, .fine = "|no|false|", .key = "adit makes no network devices"},
    {"requiredrsasize", read_fine, .fine = "|0|1024|2048|",
	.key = "adit refuses RSA keys below 2048 bits"},
    {"channeltimeout", read_fine, .fine = "|none|",
	.key = "`idle_timeout` of a forward is for that"},
    {"proxyusefdpass", read_fine, .fine = "|no|false|"},
    {"refuseconnection", read_unsupported},
    {"versionaddendum", read_fine, .fine = "|none|"},
    {"localcommand", read_fine, .fine = "|none|", .key = "adit runs no other programs"},
    {"remotecommand", read_fine, .fine = "|none|", .key = "`adit exec` runs commands"},
    {"knownhostscommand", read_fine, .fine = "|none|", .key = "adit runs no other programs"},
    {"bindinterface", read_unsupported, .key = "`bind_address` takes an address"},
    {"pkcs11provider", read_fine, .fine = "|none|", .key = "an agent can hold such keys"},
    {"securitykeyprovider", read_fine, .fine = "|internal|none|",
	.key = "an agent can hold such keys"},
    {"setenv", read_unsupported, .key = "a tunnel has no environment"},
};

_Static_assert(ARRAY_LEN(options) <= SSH_OPTIONS_MAX, "seen[] has a place for each");

/* What makes no difference here; and what OpenSSH once had, and takes without a word still. */
static const char *const ignored[] = {"afstokenpassing", "cipher", "compressionlevel",
    "fallbacktorsh", "globalknownhostsfile2", "keepalive", "kerberosauthentication",
    "kerberostgtpassing", "protocol", "rhostsauthentication", "rhostsrsaauthentication",
    "rsaauthentication", "smartcarddevice", "useprivilegedport", "userknownhostsfile2",
    "useroaming", "usersh", "batchmode", "canonicaldomains", "canonicalizefallbacklocal",
    "canonicalizemaxdots", "canonicalizepermittedcnames", "challengeresponseauthentication",
    "connectionattempts", "controlpath", "controlpersist", "enableescapecommandline",
    "enablesshkeysign", "escapechar", "fingerprinthash", "forwardx11timeout", "forwardx11trusted",
    "gssapiclientidentity", "gssapidelegatecredentials", "gssapikexalgorithms", "gssapikeyexchange",
    "gssapirenewalforcesrekey", "gssapiserveridentity", "gssapitrustdns", "hashknownhosts", "host",
    "hostbasedacceptedalgorithms", "hostbasedkeytypes", "kbdinteractiveauthentication",
    "logverbose", "numberofpasswordprompts", "obscurekeystroketiming", "passwordauthentication",
    "permitlocalcommand", "requesttty", "sendenv", "sessiontype", "stdinnull",
    "streamlocalbindunlink", "syslogfacility", "tag", "tunneldevice", "visualhostkey",
    "warnweakcrypto", "xauthlocation"};

static const struct option *find_option(const char *keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcasecmp(options[i].keyword, keyword) == 0)
			return &options[i];
	return NULL;
}

static const char *find_ignored(const char *keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		if (strcasecmp(ignored[i], keyword) == 0)
			return ignored[i];
	return NULL;
}

static void refuse_unknown(struct ssh_import *import, const char *keyword)
{
	const char *names[ARRAY_LEN(options) + ARRAY_LEN(ignored)];

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		names[i] = options[i].keyword;
	memcpy(&names[ARRAY_LEN(options)], ignored, sizeof(ignored));
	const char *nearest = str_nearest(keyword, names, ARRAY_LEN(names));
	config_errors_add(import->errors, NULL, 0,
	    nearest ? "%s: ssh has no such option; did you mean %s?" : "%s: ssh has no such option",
	    keyword, nearest);
}

/* ssh_config(5), PATTERNS: what a pattern behind a "!" matches is out, whatever else matches it. */
static bool may_be_unknown(const struct ssh_import *import, const char *keyword)
{
	struct span list = span_of(import->may_be_unknown ? import->may_be_unknown : ""), one;
	bool found = false, denied = false;

	while (!denied && name_list_next(&list, &one)) {
		char *pattern = span_strdup(one);
		bool is_not = *pattern == '!';
		if (str_glob_nocase(pattern + is_not, keyword))
			*(is_not ? &denied : &found) = true;
		free(pattern);
	}
	return found && !denied;
}

static void put_off(struct ssh_import *import, const struct option *option, const char *value)
{
	import->waiting =
	    mem_grow(import->waiting, import->waiting_count + 1, sizeof(*import->waiting));
	import->waiting[import->waiting_count++] = (struct ssh_import_value){
	    .option = (size_t)(option - options), .text = mem_strdup(value)};
}

void ssh_import_option(struct ssh_import *import, const char *keyword, const char *value)
{
	const struct option *option = find_option(keyword);
	const char *name = option ? option->keyword : find_ignored(keyword);

	if (!name && may_be_unknown(import, keyword))
		return;
	if (!name) {
		if (import->source == SSH_PRINTED)
			ssh_option_note(import, keyword, value, "adit does not know it");
		else
			refuse_unknown(import, keyword);
		return;
	}
	if (!*value || !span_is_text(span_of(value))) {
		ssh_option_fail(
		    import, name, "", *value ? "control characters" : "without a value");
		return;
	}
	if (!option)
		return;
	bool *seen = &import->seen[option - options];
	if (!*seen || (option->flags & OPTION_MANY)) {
		if (option->flags & OPTION_TOKENS)
			put_off(import, option, value);
		else
			option->read(import, option, value);
	}
	*seen = true;
}

static void read_waiting(struct ssh_import *import, const struct option *option)
{
	for (size_t i = 0; i < import->waiting_count; i++)
		if (import->waiting[i].option == (size_t)(option - options))
			option->read(import, option, import->waiting[i].text);
}

void ssh_import_read_waiting(struct ssh_import *import)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].flags & OPTION_TOKENS)
			read_waiting(import, &options[i]);
}

void ssh_import_line(struct ssh_import *import, const char *line)
{
	size_t n = strcspn(line, " \t=");
	char *keyword = mem_strndup(line, n);
	const char *value = line + n;

	value += strspn(value, " \t");
	if (*value == '=')
		value += 1 + strspn(value + 1, " \t");
	size_t length = strlen(value);
	const struct option *option = find_option(keyword);
	bool is_quoted = !(option && option->flags & OPTION_WORDS) && length >= 2 &&
			 value[0] == '"' && value[length - 1] == '"';
	char *bare = is_quoted ? mem_strndup(value + 1, length - 2) : mem_strdup(value);
	ssh_import_option(import, keyword, bare);
	free(bare);
	free(keyword);
}

bool ssh_option_seen(const struct ssh_import *import, const char *keyword)
{
	return import->seen[find_option(keyword) - options];
}
