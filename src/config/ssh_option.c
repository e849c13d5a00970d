/*
 * A table of keywords: what each becomes, or why it cannot.
 */
#include "config/ssh_option.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/endpoint.h"
#include "config/expand.h"
#include "config/keys.h"

struct option;
typedef void option_reader(
    struct ssh_import *import, const struct option *option, const char *value);

enum option_flag { OPTION_MANY = 1 }; /* every value counts, not the first alone */

struct option {
	const char *keyword; /* lower case */
	option_reader *read;
	size_t offset;    /* in struct config_host */
	const char *fine; /* words that change nothing, between bars: "|no|none|" */
	const char *key;  /* of ours, for messages and algorithms */
	unsigned flags;
};

static void note(struct ssh_import *import, const char *keyword, const char *value, const char *why)
{
	config_errors_add(import->notes, NULL, 0, "%s %s: cannot be carried over%s%s", keyword,
	    value, why ? ": " : "", why ? why : "");
}

static void fail(struct ssh_import *import, const char *keyword, const char *value, const char *why)
{
	config_errors_add(import->errors, NULL, 0, "%s %s: %s", keyword, value, why);
}

#define TEXT(import, option) (*(char **)(void *)((char *)&(import)->host + (option)->offset))
#define WORDS(import, option) \
	((struct config_strings *)(void *)((char *)&(import)->host + (option)->offset))

static bool is_true(const char *value)
{
	return strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0;
}

static bool is_false(const char *value)
{
	return strcasecmp(value, "no") == 0 || strcasecmp(value, "false") == 0;
}

/* ---- readers ---- */

static void read_nothing(struct ssh_import *import, const struct option *option, const char *value)
{
	char *word = str_format("|%s|", value);

	for (char *p = word; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (option->fine && strcmp(option->fine, "*") != 0 && !strstr(option->fine, word))
		note(import, option->keyword, value, option->key);
	free(word);
}

static void read_text(struct ssh_import *import, const struct option *option, const char *value)
{
	free(TEXT(import, option));
	TEXT(import, option) = mem_strdup(value);
}

static void read_address(struct ssh_import *import, const struct option *option, const char *value)
{
	if (endpoint_host_is_valid(value))
		read_text(import, option, value);
	else
		fail(import, option->keyword, value, "neither a name nor an address");
}

static void read_bind_address(
    struct ssh_import *import, const struct option *option, const char *value)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, value, &address) == 1 || inet_pton(AF_INET6, value, &address) == 1)
		read_text(import, option, value);
	else
		note(import, option->keyword, value, "`bind_address` takes an IP address");
}

static void read_port(struct ssh_import *import, const struct option *option, const char *value)
{
	uint64_t port;

	if (str_to_u64(value, 1, 65535, &port))
		import->host.port = (uint16_t)port;
	else
		fail(import, option->keyword, value, "not a port");
}

/* ssh_config(5), TIME FORMATS: "90", "1h30m" */
static bool parse_time(const char *text, uint64_t *ret_seconds)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	uint64_t sum = 0;

	if (!*text)
		return false;
	while (*text) {
		size_t n = strspn(text, "0123456789");
		uint64_t factor = text[n] ? 0 : 1, number;
		char *digits = mem_strndup(text, n);
		bool valid = str_to_u64(digits, 0, UINT32_MAX, &number);
		free(digits);
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (text[n] && tolower((unsigned char)text[n]) == units[i].unit)
				factor = units[i].seconds;
		if (!valid || factor == 0)
			return false;
		sum += number * factor;
		text += n + (text[n] != '\0');
	}
	*ret_seconds = sum;
	return sum <= UINT32_MAX;
}

/* Within the limits of our key of that name, the nearest value that it can have. */
static double clamp_to_key(const char *name, double value)
{
	const struct key *key = key_find(&keys_host, name);

	return value < key->min ? key->min : value > key->max ? key->max : value;
}

static void read_seconds(struct ssh_import *import, const struct option *option, const char *value)
{
	uint64_t *ms = (uint64_t *)(void *)((char *)&import->host + option->offset);
	uint64_t seconds;

	if (strcasecmp(value, "none") == 0)
		return;
	if (parse_time(value, &seconds))
		*ms = (uint64_t)(clamp_to_key(option->key, (double)seconds) * 1000);
	else
		fail(import, option->keyword, value, "not a time");
}

static void read_alive_count(
    struct ssh_import *import, const struct option *option, const char *value)
{
	uint64_t count;

	if (str_to_u64(value, 0, INT32_MAX, &count))
		import->host.keepalive_count =
		    (unsigned)clamp_to_key("keepalive_count", (double)count);
	else
		fail(import, option->keyword, value, "not a number");
}

static void read_bool(struct ssh_import *import, const struct option *option, const char *value)
{
	bool *target = (bool *)(void *)((char *)&import->host + option->offset);

	if (is_true(value) || is_false(value))
		*target = is_true(value);
	else
		note(import, option->keyword, value, NULL);
}

/* A name of host_key_algorithms may be a pattern in OpenSSH; we have none. */
static void read_algorithms(
    struct ssh_import *import, const struct option *option, const char *value)
{
	struct span list = span_of(value), name;

	if (strchr("+-^", *value)) {
		note(import, option->keyword, value,
		    "a change of OpenSSH's own list; name the whole list");
		return;
	}
	config_strings_clear(WORDS(import, option));
	while (name_list_next(&list, &name)) {
		char *text = span_strdup(name);
		if (!value_is_algorithm_name(text) || strpbrk(text, "*?"))
			note(import, option->keyword, text, "not the name of an algorithm");
		else if (import->algorithms && !import->algorithms->known(option->key, text))
			note(import, option->keyword, text, "adit does not have it");
		else if (!config_strings_has(WORDS(import, option), text))
			config_strings_add(WORDS(import, option), text);
		free(text);
	}
}

static void add_user_name(struct strbuf *out)
{
	struct passwd *pw = getpwuid(geteuid());

	strbuf_add(out, pw ? pw->pw_name : "");
}

/* ssh_config(5), TOKENS: those that can be known here. Gives, or NULL. */
static char *expand_tokens(const struct ssh_import *import, const char *text)
{
	struct strbuf out = {0};
	char *home;

	for (; *text; text++) {
		if (*text != '%') {
			strbuf_add_n(&out, text, 1);
			continue;
		}
		switch (*++text) {
		case '%':
			strbuf_add(&out, "%");
			break;
		case 'd':
			home = expand_home();
			strbuf_add(&out, home ? home : "");
			free(home);
			break;
		case 'h':
			if (!import->host.address && !import->alias)
				goto unknown;
			strbuf_add(
			    &out, import->host.address ? import->host.address : import->alias);
			break;
		case 'n':
			if (!import->alias)
				goto unknown;
			strbuf_add(&out, import->alias);
			break;
		case 'p':
			strbuf_addf(&out, "%u", import->host.port);
			break;
		case 'r':
			if (import->host.user)
				strbuf_add(&out, import->host.user);
			else
				add_user_name(&out);
			break;
		case 'u':
			add_user_name(&out);
			break;
		case 'i':
			strbuf_addf(&out, "%lu", (unsigned long)getuid());
			break;
		default:
			goto unknown;
		}
	}
	return out.text ? strbuf_take(&out) : mem_strdup("");
unknown:
	strbuf_clear(&out);
	return NULL;
}

/* Gives the path, or NULL and a note or an error. */
static char *path_of(struct ssh_import *import, const char *keyword, const char *value)
{
	struct err e = ERR_INIT;
	char *text = expand_tokens(import, value), *path;

	if (!text) {
		note(import, keyword, value, "a token that is not known here");
		return NULL;
	}
	path = expand_path(text, import->dir, &e);
	if (!path)
		fail(import, keyword, value, e.text);
	free(text);
	return path;
}

void ssh_option_add_path(
    struct ssh_import *import, const char *keyword, struct config_strings *paths, const char *value)
{
	char *path;

	if (strcasecmp(value, "none") == 0)
		return;
	path = path_of(import, keyword, value);
	if (path && !config_strings_has(paths, path))
		config_strings_add(paths, path);
	free(path);
}

static void read_path(struct ssh_import *import, const struct option *option, const char *value)
{
	ssh_option_add_path(import, option->keyword, WORDS(import, option), value);
}

/* Several files between white space. */
static void add_paths(
    struct ssh_import *import, const char *keyword, struct config_strings *paths, const char *value)
{
	char *words = mem_strdup(value), *rest = words, *word;

	while ((word = strtok_r(rest, " \t", &rest)))
		ssh_option_add_path(import, keyword, paths, word);
	free(words);
}

static void read_user_known_hosts(
    struct ssh_import *import, const struct option *option, const char *value)
{
	add_paths(import, option->keyword, &import->user_known_hosts, value);
}

static void read_system_known_hosts(
    struct ssh_import *import, const struct option *option, const char *value)
{
	add_paths(import, option->keyword, &import->system_known_hosts, value);
}

static void read_agent(struct ssh_import *import, const struct option *option, const char *value)
{
	struct config_host *host = &import->host;
	const char *path = *value == '$' ? getenv(value + 1) : value;

	free(host->agent_path);
	host->agent_path = NULL;
	host->agent = CONFIG_AGENT_ENVIRONMENT;
	if (strcmp(value, "SSH_AUTH_SOCK") == 0 || strcmp(value, "$SSH_AUTH_SOCK") == 0)
		return;
	if (strcasecmp(value, "none") == 0) {
		host->agent = CONFIG_AGENT_NONE;
	} else if (!path) {
		note(import, option->keyword, value, "the variable is not set");
	} else if ((host->agent_path = path_of(import, option->keyword, path))) {
		host->agent = CONFIG_AGENT_PATH;
	}
}

static void read_forward_agent(
    struct ssh_import *import, const struct option *option, const char *value)
{
	if (is_true(value) || is_false(value))
		import->host.forward_agent = is_true(value);
	else
		note(import, option->keyword, value, "adit forwards the agent that it uses itself");
}

static void read_host_key_checking(
    struct ssh_import *import, const struct option *option, const char *value)
{
	if (strcasecmp(value, "accept-new") == 0)
		import->host.host_key_check = CONFIG_CHECK_ACCEPT_NEW;
	else if (strcasecmp(value, "off") == 0 || is_false(value))
		fail(import, option->keyword, value,
		    "refused: without this check anybody on the way can read and change all that "
		    "the tunnel "
		    "carries; `accept-new` trusts a host at the first time only");
	else if (strcasecmp(value, "ask") == 0 || is_true(value))
		import->host.host_key_check = CONFIG_CHECK_STRICT;
	else
		fail(import, option->keyword, value, "not yes, ask or accept-new");
}

/* "default", "1G", and after it a time or "none" */
static void read_rekey_limit(
    struct ssh_import *import, const struct option *option, const char *value)
{
	size_t n = strcspn(value, " \t");
	size_t digits = strspn(value, "0123456789");
	const char *time = value + n + strspn(value + n, " \t");
	char *number = mem_strndup(value, digits);
	uint64_t bytes = 0, seconds = 0;
	unsigned shift = 0;
	bool valid = true;

	if (strncasecmp(value, "default", n) != 0 && strcmp(value, "0") != 0 &&
	    strncmp(value, "0 ", 2) != 0) {
		switch (n == digits + 1 ? toupper((unsigned char)value[digits]) : 0) {
		case 'K':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		default:
			valid = n == digits;
		}
		valid = valid && str_to_u64(number, 1, UINT32_MAX, &bytes);
		if (valid)
			import->host.rekey_bytes =
			    (uint64_t)clamp_to_key("rekey_bytes", (double)(bytes << shift));
	}
	if (*time && strcasecmp(time, "none") != 0 && strcmp(time, "0") != 0) {
		valid = valid && parse_time(time, &seconds);
		if (valid)
			import->host.rekey_interval_ms =
			    (uint64_t)(clamp_to_key("rekey_interval", (double)seconds) * 1000);
	}
	if (!valid)
		fail(import, option->keyword, value, "not a number of bytes and a time");
	free(number);
}

static void read_proxy_jump(
    struct ssh_import *import, const struct option *option, const char *value)
{
	(void)option;
	free(import->proxy_jump);
	import->proxy_jump = strcasecmp(value, "none") == 0 ? NULL : mem_strdup(value);
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
	import->bind = is_true(value) ? SSH_BIND_ALL : SSH_BIND_LOOPBACK;
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
	char *spec =
	    *rest && !socks ? str_format("%.*s:%s", (int)n, value, rest) : mem_strndup(value, n);

	ssh_import_forward(import, kind, spec);
	free(spec);
}

static void read_bind_mask(
    struct ssh_import *import, const struct option *option, const char *value)
{
	char *end;
	unsigned long mask = strtoul(value, &end, 8);

	if (*end || mask > 0777)
		fail(import, option->keyword, value, "not an octal mask");
	else
		import->bind_mode = (mode_t)(0666 & ~mask);
}

static void read_exit_on_failure(
    struct ssh_import *import, const struct option *option, const char *value)
{
	if (is_true(value))
		note(import, option->keyword, value,
		    "adit says which forward failed, and asks for it again until it works");
}

static void read_unsupported(
    struct ssh_import *import, const struct option *option, const char *value)
{
	note(import, option->keyword, value, option->key);
}

#define HOST(field) offsetof(struct config_host, field)
/* In the order in which values may depend on each other when `ssh -G` prints them: any. */
static const struct option options[] = {
    {"hostname", read_address, HOST(address), NULL, NULL, 0},
    {"user", read_text, HOST(user), NULL, NULL, 0},
    {"port", read_port, 0, NULL, NULL, 0},
    {"bindaddress", read_bind_address, HOST(bind_address), NULL, NULL, 0},
    {"hostkeyalias", read_text, HOST(host_key_alias), NULL, NULL, 0},
    {"connecttimeout", read_seconds, HOST(connect_timeout_ms), NULL, "connect_timeout", 0},
    {"serveraliveinterval", read_seconds, HOST(keepalive_interval_ms), NULL, "keepalive_interval",
	0},
    {"serveralivecountmax", read_alive_count, 0, NULL, NULL, 0},
    {"stricthostkeychecking", read_host_key_checking, 0, NULL, NULL, 0},
    {"userknownhostsfile", read_user_known_hosts, 0, NULL, NULL, 0},
    {"globalknownhostsfile", read_system_known_hosts, 0, NULL, NULL, 0},
    {"revokedhostkeys", read_path, HOST(revoked_keys), NULL, NULL, 0},
    {"updatehostkeys", read_bool, HOST(update_host_keys), NULL, NULL, 0},
    {"identityfile", read_path, HOST(identity), NULL, NULL, OPTION_MANY},
    {"certificatefile", read_path, HOST(certificate), NULL, NULL, OPTION_MANY},
    {"identityagent", read_agent, 0, NULL, NULL, 0},
    {"forwardagent", read_forward_agent, 0, NULL, NULL, 0},
    {"kexalgorithms", read_algorithms, HOST(kex), NULL, "kex", 0},
    {"ciphers", read_algorithms, HOST(ciphers), NULL, "ciphers", 0},
    {"macs", read_algorithms, HOST(macs), NULL, "macs", 0},
    {"hostkeyalgorithms", read_algorithms, HOST(host_key_algorithms), NULL, "host_key_algorithms",
	0},
    {"rekeylimit", read_rekey_limit, 0, NULL, NULL, 0},
    {"proxyjump", read_proxy_jump, 0, NULL, NULL, 0},
    {"loglevel", read_log_level, 0, NULL, NULL, 0},
    {"gatewayports", read_gateway_ports, 0, NULL, NULL, 0},
    {"localforward", read_forward, 0, NULL, NULL, OPTION_MANY},
    {"remoteforward", read_forward, 0, NULL, NULL, OPTION_MANY},
    {"dynamicforward", read_forward, 0, NULL, NULL, OPTION_MANY},
    {"streamlocalbindmask", read_bind_mask, 0, NULL, NULL, 0},
    {"exitonforwardfailure", read_exit_on_failure, 0, NULL, NULL, 0},

    /* what makes no difference here, or none with these values */
    {"host", read_nothing, 0, "*", NULL, 0},
    {"batchmode", read_nothing, 0, "*", NULL, 0},
    {"tcpkeepalive", read_nothing, 0, "*", NULL, 0},
    {"connectionattempts", read_nothing, 0, "*", NULL, 0},
    {"numberofpasswordprompts", read_nothing, 0, "*", NULL, 0},
    {"preferredauthentications", read_nothing, 0, "*", NULL, 0},
    {"pubkeyauthentication", read_nothing, 0, "|yes|true|unbound|host-bound|", NULL, 0},
    {"passwordauthentication", read_nothing, 0, "*", NULL, 0},
    {"kbdinteractiveauthentication", read_nothing, 0, "*", NULL, 0},
    {"challengeresponseauthentication", read_nothing, 0, "*", NULL, 0},
    {"hostbasedauthentication", read_nothing, 0, "|no|false|", NULL, 0},
    {"gssapiauthentication", read_nothing, 0, "|no|false|", NULL, 0},
    {"identitiesonly", read_nothing, 0, "*", NULL, 0},
    {"checkhostip", read_nothing, 0, "*", NULL, 0},
    {"hashknownhosts", read_nothing, 0, "*", NULL, 0},
    {"visualhostkey", read_nothing, 0, "*", NULL, 0},
    {"fingerprinthash", read_nothing, 0, "*", NULL, 0},
    {"clearallforwardings", read_nothing, 0, "|no|false|", NULL, 0},
    {"compression", read_nothing, 0, "|no|false|", "adit does not compress", 0},
    {"addressfamily", read_nothing, 0, "|any|", "adit tries all addresses of a name", 0},
    {"controlmaster", read_nothing, 0, "|no|false|auto|", "tunnels share a link by themselves", 0},
    {"controlpath", read_nothing, 0, "*", NULL, 0},
    {"controlpersist", read_nothing, 0, "*", NULL, 0},
    {"forkafterauthentication", read_nothing, 0, "*", NULL, 0},
    {"sessiontype", read_nothing, 0, "*", NULL, 0},
    {"stdinnull", read_nothing, 0, "*", NULL, 0},
    {"requesttty", read_nothing, 0, "*", NULL, 0},
    {"escapechar", read_nothing, 0, "*", NULL, 0},
    {"enableescapecommandline", read_nothing, 0, "*", NULL, 0},
    {"forwardx11", read_nothing, 0, "|no|false|", "adit forwards no X11", 0},
    {"forwardx11trusted", read_nothing, 0, "*", NULL, 0},
    {"forwardx11timeout", read_nothing, 0, "*", NULL, 0},
    {"xauthlocation", read_nothing, 0, "*", NULL, 0},
    {"permitlocalcommand", read_nothing, 0, "*", NULL, 0},
    {"permitremoteopen", read_nothing, 0, "|any|", "`allow_to` says where SOCKS clients may go", 0},
    {"streamlocalbindunlink", read_nothing, 0, "*", NULL, 0},
    {"addkeystoagent", read_nothing, 0, "|no|false|", "adit puts no keys into an agent", 0},
    {"canonicalizehostname", read_nothing, 0, "|no|false|none|", NULL, 0},
    {"canonicaldomains", read_nothing, 0, "*", NULL, 0},
    {"canonicalizefallbacklocal", read_nothing, 0, "*", NULL, 0},
    {"canonicalizemaxdots", read_nothing, 0, "*", NULL, 0},
    {"canonicalizepermittedcnames", read_nothing, 0, "*", NULL, 0},
    {"nohostauthenticationforlocalhost", read_nothing, 0, "|no|false|",
	"adit always checks the host key", 0},
    {"verifyhostkeydns", read_nothing, 0, "|no|false|", NULL, 0},
    {"tunnel", read_nothing, 0, "|no|false|", "adit makes no network devices", 0},
    {"tunneldevice", read_nothing, 0, "*", NULL, 0},
    {"ipqos", read_nothing, 0, "*", NULL, 0},
    {"sendenv", read_nothing, 0, "*", NULL, 0},
    {"tag", read_nothing, 0, "*", NULL, 0},
    {"ignoreunknown", read_nothing, 0, "*", NULL, 0},
    {"syslogfacility", read_nothing, 0, "*", NULL, 0},
    {"logverbose", read_nothing, 0, "*", NULL, 0},
    {"requiredrsasize", read_nothing, 0, "|0|1024|2048|", "adit refuses RSA keys below 2048 bits",
	0},
    {"casignaturealgorithms", read_nothing, 0, "*", NULL, 0},
    {"pubkeyacceptedalgorithms", read_nothing, 0, "*", NULL, 0},
    {"pubkeyacceptedkeytypes", read_nothing, 0, "*", NULL, 0},
    {"hostbasedacceptedalgorithms", read_nothing, 0, "*", NULL, 0},
    {"hostbasedkeytypes", read_nothing, 0, "*", NULL, 0},
    {"enablesshkeysign", read_nothing, 0, "*", NULL, 0},
    {"gssapidelegatecredentials", read_nothing, 0, "*", NULL, 0},
    {"obscurekeystroketiming", read_nothing, 0, "*", NULL, 0},
    {"channeltimeout", read_nothing, 0, "|none|", "`idle_timeout` of a forward is for that", 0},
    {"proxyusefdpass", read_nothing, 0, "|no|false|", NULL, 0},
    {"refuseconnection", read_unsupported, 0, NULL, NULL, 0},
    {"versionaddendum", read_nothing, 0, "|none|", NULL, 0},
    {"warnweakcrypto", read_nothing, 0, "*", NULL, 0},

    {"proxycommand", read_nothing, 0, "|none|",
	"adit runs no other programs; a jump host (ProxyJump) it knows", 0},
    {"localcommand", read_nothing, 0, "|none|", "adit runs no other programs", 0},
    {"remotecommand", read_nothing, 0, "|none|", "`adit exec` runs commands", 0},
    {"knownhostscommand", read_nothing, 0, "|none|", "adit runs no other programs", 0},
    {"bindinterface", read_unsupported, 0, NULL, "`bind_address` takes an address", 0},
    {"pkcs11provider", read_nothing, 0, "|none|", "an agent can hold such keys", 0},
    {"securitykeyprovider", read_nothing, 0, "|internal|none|", "an agent can hold such keys", 0},
    {"setenv", read_unsupported, 0, NULL, "a tunnel has no environment", 0},
};

_Static_assert(ARRAY_LEN(options) <= SSH_OPTIONS_MAX, "seen[] has a place for each");

static const struct option *find_option(const char *keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcasecmp(options[i].keyword, keyword) == 0)
			return &options[i];
	return NULL;
}

void ssh_import_option(struct ssh_import *import, const char *keyword, const char *value)
{
	const struct option *option = find_option(keyword);

	if (!option) {
		const char *names[ARRAY_LEN(options)];
		for (size_t i = 0; i < ARRAY_LEN(options); i++)
			names[i] = options[i].keyword;
		const char *nearest = str_nearest(keyword, names, ARRAY_LEN(names));
		config_errors_add(import->errors, NULL, 0,
		    nearest ? "%s: ssh has no such option; did you mean %s?"
			    : "%s: ssh has no such option",
		    keyword, nearest);
		return;
	}
	if (!*value || !span_is_text(span_of(value))) {
		fail(
		    import, option->keyword, "", *value ? "control characters" : "without a value");
		return;
	}
	bool *seen = &import->seen[option - options];
	if (!*seen || (option->flags & OPTION_MANY))
		option->read(import, option, value);
	*seen = true;
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
	char *bare = length >= 2 && value[0] == '"' && value[length - 1] == '"'
			 ? mem_strndup(value + 1, length - 2)
			 : mem_strdup(value);
	ssh_import_option(import, keyword, bare);
	free(bare);
	free(keyword);
}

bool ssh_option_seen(const struct ssh_import *import, const char *keyword)
{
	return import->seen[find_option(keyword) - options];
}
