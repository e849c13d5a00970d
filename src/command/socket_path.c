#include "command/socket_path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "command/load.h"
#include "config/read.h"

static const char system_path[] = "/run/adit/control.sock";

/* What was said in so many words; NULL: nothing was. */
static char *explicit_path(const char *option)
{
	const char *environment = getenv("ADIT_SOCKET");

	if (option)
		return mem_strdup(option);
	return environment && *environment ? mem_strdup(environment) : NULL;
}

static char *below(const char *variable, const char *name)
{
	const char *directory = getenv(variable);

	if (!directory || *directory != '/')
		return NULL;
	/* systemd gives several, separated by colons; the first is ours. */
	char *first = mem_strndup(directory, strcspn(directory, ":"));
	char *path = str_format("%s/%s", first, name);
	free(first);
	return path;
}

char *socket_path_for_daemon(const char *option, const struct config *config)
{
	char *path = explicit_path(option);

	if (!path && config->control_socket)
		path = mem_strdup(config->control_socket);
	if (!path)
		path = below("RUNTIME_DIRECTORY", "control.sock");
	if (!path)
		path = below("XDG_RUNTIME_DIR", "adit/control.sock");
	if (!path)
		path = mem_strdup(system_path);
	if (*path)
		return path;
	free(path);
	return NULL;
}

/* A broken file still names the socket, unless it is broken beyond that. Then nobody knows which daemon was meant, and the one at the
 * default place may be another. NULL without an error: the file says nothing of it, or is not there. */
static char *configured_path(const char *config_option, struct err *e)
{
	struct config_errors errors = {0};
	char *config_path = config_default_path(config_option);
	char *path = NULL;
	bool is_meant = config_named_path(config_option) || access(config_path, R_OK) == 0;

	if (is_meant && config_read_control_socket(config_path, &path, &errors)) {
		load_print_errors(&errors);
		err_set(e, ERR_CONFIG,
		    "%s cannot be asked where the control socket is; -s PATH says it", config_path);
	}
	config_errors_clear(&errors);
	free(config_path);
	return path;
}

static void says_none(const char *config_option, struct err *e)
{
	char *config_path = config_default_path(config_option);

	err_set(e, ERR_NETWORK,
	    "%s says that there is no control socket (control_socket = \"\"); -s PATH names "
	    "another",
	    config_path);
	free(config_path);
}

static char *default_path(void)
{
	char *path = below("RUNTIME_DIRECTORY", "control.sock");

	if (path && access(path, F_OK) == 0)
		return path;
	free(path);
	path = below("XDG_RUNTIME_DIR", "adit/control.sock");
	if (path && (access(path, F_OK) == 0 || access(system_path, F_OK) != 0))
		return path;
	free(path);
	return mem_strdup(system_path);
}

char *socket_path_for_client(const char *option, const char *config_option, struct err *e)
{
	char *path = explicit_path(option);

	if (path)
		return path;
	path = configured_path(config_option, e);
	if (err_is_set(e) || (path && *path))
		return path;
	if (!path)
		return default_path();
	/* Who listens where it is by default is another daemon. */
	free(path);
	says_none(config_option, e);
	return NULL;
}
