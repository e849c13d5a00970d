#include "tunnel/login.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/keyfile.h"
#include "tunnel/login_identities.h"

enum { AGENT_TIMEOUT_MS = 30000 }; /* a person may have to touch a key */

static char *join(const struct config_strings *list)
{
	struct strbuf b = {0};

	if (list->n == 0)
		return NULL;
	for (size_t i = 0; i < list->n; i++)
		strbuf_addf(&b, "%s%s", i ? "," : "", list->v[i]);
	return strbuf_take(&b);
}

const char *login_agent_path(const struct config_host *host)
{
	switch (host->agent) {
	case CONFIG_AGENT_NONE:
		return NULL;
	case CONFIG_AGENT_ENVIRONMENT: {
		const char *path = getenv("SSH_AUTH_SOCK");

		return path && *path ? path : NULL;
	}
	case CONFIG_AGENT_PATH:
		return host->agent_path;
	}
	return NULL;
}

const char *login_host_key_name(const struct config_host *host)
{
	return host->host_key_alias ? host->host_key_alias : host->address;
}

uint16_t login_host_key_port(const struct config_host *host)
{
	return host->host_key_alias ? 22 : host->port;
}

static struct hostkey_policy *make_policy(
    const struct config_host *host, const struct log_context *log, struct err *e)
{
	struct hostkey_options options = {
	    .log = log,
	    .name = login_host_key_name(host),
	    .port = login_host_key_port(host),
	    .address = host->address,
	    /* Its address may mean another machine here, and its port is not in an alias: by its name it is asked as it is reached. */
	    .ask = host->via || host->host_key_alias ? host->name : NULL,
	    .check = host->host_key_check == CONFIG_CHECK_ACCEPT_NEW ? HOSTKEY_ACCEPT_NEW
								     : HOSTKEY_STRICT,
	    .pins = (const char *const *)host->host_key.v,
	    .pin_count = host->host_key.n,
	    .known_hosts = (const char *const *)host->known_hosts.v,
	    .known_hosts_count = host->known_hosts.n,
	    .revoked_keys = (const char *const *)host->revoked_keys.v,
	    .revoked_keys_count = host->revoked_keys.n,
	};

	return hostkey_policy_new(&options, e);
}

static int prepare_auth(const struct config_host *host, struct keyring *keyring,
    const struct log_context *log, struct log_repeat *said, struct login *login,
    struct auth_options *auth, struct err *e)
{
	login->agent_path = mem_strdup(login_agent_path(host));
	*auth = (struct auth_options){.log = log,
	    .user = host->user,
	    .agent_path = login->agent_path,
	    .agent_keys = host->identity_is_default ? AUTH_AGENT_ALL : AUTH_AGENT_IDENTITIES_ONLY,
	    .agent_timeout_ms = AGENT_TIMEOUT_MS};
	int result = login_read_identities(host, keyring, log, said, login, auth, e);
	if (result == 0 && host->password.kind == CONFIG_SECRET_FILE)
		result = keyfile_read_secret(host->password.path, &login->password, e);
	if (result == 0 && auth->identity_count == 0 && !auth->agent_path && !login->password.p)
		result = err_set(e, ERR_CONFIG,
		    "nothing to log in with: no key file%s%s%s, no agent, no password; set "
		    "identity, agent or password",
		    login->not_used ? " (not used: " : "", login->not_used ? login->not_used : "",
		    login->not_used ? ")" : "");
	return result;
}

int login_prepare(const struct config_host *host, struct keyring *keyring,
    const struct log_context *log, struct log_repeat *said, struct login *ret_login,
    struct client_options *ret_options, struct err *e)
{
	struct log_repeat nothing_said = {0};
	struct login login = {.expires = UINT64_MAX};
	struct client_options options = {0};
	int result = ERR_CONFIG;

	login.hostkey = make_policy(host, log, e);
	if (login.hostkey)
		result = prepare_auth(
		    host, keyring, log, said ? said : &nothing_said, &login, &options.auth, e);
	if (result) {
		login_discard_options(&options);
		login_clear(&login);
		return result;
	}
	login.kex = join(&host->kex);
	login.ciphers = join(&host->ciphers);
	login.macs = join(&host->macs);
	login.host_key_algorithms = join(&host->host_key_algorithms);
	options.transport = (struct transport_options){.log = log,
	    .prefs = {.kex = login.kex,
		.host_key = login.host_key_algorithms,
		.ciphers = login.ciphers,
		.macs = login.macs},
	    .hostkey = login.hostkey,
	    .rekey_bytes = host->rekey_bytes,
	    .rekey_interval_ms = host->rekey_interval_ms};
	options.session = (struct session_options){.log = log,
	    .host = host->address,
	    .keepalive_interval_ms = host->keepalive_interval_ms,
	    .keepalive_count = host->keepalive_count};
	options.update_host_keys = host->update_host_keys;
	options.login_timeout_ms = host->connect_timeout_ms;
	*ret_login = login;
	*ret_options = options;
	/* Where the caller keeps it, not where it was made. */
	if (login.password.p)
		ret_options->auth.password = &ret_login->password;
	return 0;
}

void login_clear(struct login *login)
{
	hostkey_policy_free(login->hostkey);
	free(login->kex);
	free(login->host_key_algorithms);
	free(login->ciphers);
	free(login->macs);
	secret_clear(&login->password);
	free(login->agent_path);
	free(login->left_to_agent);
	free(login->not_used);
	*login = (struct login){.expires = UINT64_MAX};
}

void login_discard_options(struct client_options *options)
{
	struct auth_options *auth = &options->auth;

	auth_identities_free(auth->identities, auth->identity_count);
	auth->identities = NULL;
	auth->identity_count = 0;
}
