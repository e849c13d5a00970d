/*
 * Values as ssh_config(5) writes them.
 */
#include "config/ssh_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

bool ssh_value_is_true(const char *text)
{
	return strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0;
}

bool ssh_value_is_false(const char *text)
{
	return strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0;
}

bool ssh_value_time(const char *text, uint64_t *ret_seconds)
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

bool ssh_value_bytes(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMG";
	size_t digits = strspn(text, "0123456789");
	const char *unit =
	    text[digits] ? strchr(units, toupper((unsigned char)text[digits])) : NULL;
	char *number = mem_strndup(text, digits);
	uint64_t bytes = 0;
	int shift = unit ? 10 * (int)(unit - units + 1) : 0;
	bool valid = str_to_u64(number, 1, UINT64_MAX >> shift, &bytes) &&
		     text[digits + (unit != NULL)] == '\0';

	free(number);
	if (valid)
		*ret_bytes = bytes << shift;
	return valid;
}
