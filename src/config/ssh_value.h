/*
 * Values as ssh_config(5) writes them: from text to what they mean.
 */
#ifndef ADIT_CONFIG_SSH_VALUE_H
#define ADIT_CONFIG_SSH_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* "yes" and "true", in whatever case; "no" and "false". Other words are neither. */
bool ssh_value_is_true(const char *text);
bool ssh_value_is_false(const char *text);
/* ssh_config(5), TIME FORMATS: "90", "1h30m". False: it is none, or of more than 2^32-1 seconds. */
bool ssh_value_time(const char *text, uint64_t *ret_seconds);
/* "500K", "1G", "4096"; not 0. */
bool ssh_value_bytes(const char *text, uint64_t *ret_bytes);

/* The jump host of a ProxyCommand that does no more than ProxyJump: "ssh -W %h:%p [user@]host", "ssh host nc %h %p". Gives what
 * ssh_jump_parse() takes, or NULL: it does something else. */
char *ssh_value_jump(const char *proxy_command);

#endif
