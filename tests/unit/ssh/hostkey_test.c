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

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "made_cert.h"
#include "ssh/hostkey.h"
#include "ssh/known_hosts_line.h"
#include "test_keys.h"

#define ED25519 "ssh-ed25519 " TEST_ED25519_BLOB
#define P256 "ecdsa-sha2-nistp256 " TEST_ECDSA_P256_BLOB
#define RSA "ssh-rsa " TEST_RSA_BLOB
#define NOW 1750000000

static char folder[] = "/tmp/adit-hostkey-test.XXXXXX";
static char *user_file, *system_file, *revoked_file;
static struct wr ed25519, p256, rsa;
static struct key *ca, *other_ca, *host;

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(1000, NOW);
	if (!mkdtemp(folder))
		return -1;
	user_file = str_format("%s/user", folder);
	system_file = str_format("%s/system", folder);
	revoked_file = str_format("%s/revoked", folder);
	str_base64_decode(span_of(TEST_ED25519_BLOB), &ed25519);
	str_base64_decode(span_of(TEST_ECDSA_P256_BLOB), &p256);
	str_base64_decode(span_of(TEST_RSA_BLOB), &rsa);
	ca = make_ed25519(1);
	other_ca = make_ed25519(2);
	host = make_ed25519(3);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(user_file);
	unlink(system_file);
	unlink(revoked_file);
	free(user_file);
	free(system_file);
	free(revoked_file);
	wr_clear(&ed25519);
	wr_clear(&p256);
	wr_clear(&rsa);
	key_free(ca);
	key_free(other_ca);
	key_free(host);
	clock_fake_stop();
	return rmdir(folder);
}

static int no_files(void **state)
{
	(void)state;
	unlink(user_file);
	unlink(system_file);
	unlink(revoked_file);
	return 0;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void expect_user_file(const char *text)
{
	struct wr w = WR_INIT;

	assert_int_equal(file_read(user_file, 1 << 20, &w, NULL, NULL), 0);
	wr_u8(&w, 0);
	assert_string_equal((char *)w.p, text);
	wr_clear(&w);
}

struct setting {
	uint16_t port; /* 0: 22 */
	enum hostkey_check check;
	const char *pins[3];
	bool revoked;
	const char *ask;
};

static struct hostkey_policy *make_policy(const struct setting *setting)
{
	const char *const files[] = {user_file, system_file};
	const char *const revoked[] = {revoked_file};
	size_t pin_count = 0;
	struct err e = ERR_INIT;

	while (pin_count < 3 && setting->pins[pin_count])
		pin_count++;
	struct hostkey_options options = {
	    .name = "db.example.com",
	    .port = setting->port ? setting->port : 22,
	    .address = "db.example.com",
	    .ask = setting->ask,
	    .check = setting->check,
	    .pins = setting->pins,
	    .pin_count = pin_count,
	    .known_hosts = files,
	    .known_hosts_count = 2,
	    .revoked_keys = revoked,
	    .revoked_keys_count = setting->revoked ? 1 : 0,
	};
	struct hostkey_policy *policy = hostkey_policy_new(&options, &e);
	if (!policy)
		fail_msg("%s", e.text);
	return policy;
}

static const struct setting strict = {.check = HOSTKEY_STRICT};
static const struct setting by_name = {.check = HOSTKEY_STRICT, .ask = "db"};
static const struct setting accept_new = {.check = HOSTKEY_ACCEPT_NEW};

static const char *algorithm_of(struct span blob)
{
	if (span_is(key_blob_type(blob), "ssh-ed25519-cert-v01@openssh.com"))
		return "ssh-ed25519-cert-v01@openssh.com";
	if (span_is(key_blob_type(blob), "ssh-rsa"))
		return "rsa-sha2-512";
	return span_is(key_blob_type(blob), "ssh-ed25519") ? "ssh-ed25519" : "ecdsa-sha2-nistp256";
}

static int verify(struct hostkey_policy *policy, struct span blob, struct err *e)
{
	return hostkey_policy_verify(policy, blob, span_of(algorithm_of(blob)), e);
}

static void expect_accepted(const struct setting *setting, struct span blob)
{
	struct hostkey_policy *policy = make_policy(setting);
	struct err e = ERR_INIT;

	if (verify(policy, blob, &e) < 0)
		fail_msg("%s", e.text);
	hostkey_policy_free(policy);
}

static void expect_refused(const struct setting *setting, struct span blob, const char *words)
{
	struct hostkey_policy *policy = make_policy(setting);
	struct err e = ERR_INIT;

	assert_int_equal(verify(policy, blob, &e), ERR_HOST_KEY);
	assert_int_equal(e.class, ERR_HOST_KEY);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
	/* Which key was seen, always. */
	if (!strstr(e.text, hostkey_policy_fingerprint(policy)))
		fail_msg("\"%s\" does not say %s", e.text, hostkey_policy_fingerprint(policy));
	assert_int_equal(strlen(hostkey_policy_fingerprint(policy)), 7 + 43);
	/* It says so again, not that it was known by now. */
	assert_int_equal(verify(policy, blob, NULL), ERR_HOST_KEY);
	hostkey_policy_free(policy);
}

/* ---- plain keys ---- */

static void test_a_known_key_is_accepted_from_any_line(void **state)
{
	(void)state;
	put(user_file, "db.example.com " ED25519 "\n");
	put(system_file, "db.example.com " P256 "\n*.example.com " RSA "\n");
	expect_accepted(&strict, wr_span(&ed25519));
	expect_accepted(&strict, wr_span(&p256));
	expect_accepted(&strict, wr_span(&rsa));
}

static void test_a_key_is_accepted_though_another_line_has_another(void **state)
{
	(void)state;
	char *line = known_hosts_line("db.example.com", 22, key_blob(host));
	char *text = str_format("%s\ndb.example.com " ED25519 "\n", line);
	put(user_file, text);
	expect_accepted(&strict, wr_span(&ed25519));
	free(text);
	free(line);
}

static void test_an_unknown_host_is_refused_with_what_to_do(void **state)
{
	(void)state;
	expect_refused(&strict, wr_span(&ed25519), "is not known");
	expect_refused(&strict, wr_span(&ed25519), "adit host-key db.example.com prints");
	expect_refused(&by_name, wr_span(&ed25519), "adit host-key db prints");
	expect_refused(&strict, wr_span(&ed25519), "ED25519 key SHA256:");
	put(user_file, "other " ED25519 "\nnonsense\n");
	expect_refused(&strict, wr_span(&ed25519), "1 lines of known_hosts cannot be understood");
}

static void test_a_changed_key_is_refused_with_the_place_of_the_old_one(void **state)
{
	char *place = str_format("%s (%s:3)", TEST_ED25519_FINGERPRINT, user_file);
	char *command = str_format("ssh-keygen -R 'db.example.com' -f %s", user_file);

	(void)state;
	put(user_file, "# mine\n\ndb.example.com " ED25519 "\n");
	expect_refused(&strict, key_blob(host), "has changed");
	expect_refused(&strict, key_blob(host), place);
	expect_refused(&strict, key_blob(host), command);
	expect_refused(&accept_new, key_blob(host), "has changed");
	expect_user_file("# mine\n\ndb.example.com " ED25519 "\n");
	free(place);
	free(command);
}

static void test_a_key_of_another_type_is_refused_even_when_new_ones_are_accepted(void **state)
{
	char *place = str_format("ssh-ed25519 %s (%s:1)", TEST_ED25519_FINGERPRINT, user_file);

	(void)state;
	put(user_file, "db.example.com " ED25519 "\n");
	expect_refused(&strict, wr_span(&rsa), "another type");
	expect_refused(&strict, wr_span(&rsa), place);
	expect_refused(&accept_new, wr_span(&rsa), place);
	free(place);
}

static void test_a_revoked_key_is_refused_though_it_is_known(void **state)
{
	char *place = str_format("revoked by %s:2", user_file);

	(void)state;
	put(user_file, "db.example.com " ED25519 "\n@revoked * " ED25519 "\n");
	expect_refused(&strict, wr_span(&ed25519), place);
	expect_refused(&accept_new, wr_span(&ed25519), place);
	put(user_file, "@revoked * " ED25519 "\n");
	expect_refused(&accept_new, wr_span(&ed25519), "revoked by");
	free(place);
}

static void test_a_file_of_revoked_keys_refuses(void **state)
{
	struct setting s = {.revoked = true};
	char *place = str_format("revoked by %s:1", revoked_file);
	char *pin = str_format("%s", TEST_ED25519_FINGERPRINT);

	(void)state;
	put(user_file, "db.example.com " ED25519 "\n");
	put(revoked_file, ED25519 "\n");
	expect_refused(&s, wr_span(&ed25519), place);
	s.pins[0] = pin; /* and a pin does not help */
	expect_refused(&s, wr_span(&ed25519), place);
	put(revoked_file, RSA "\n");
	expect_accepted(&s, wr_span(&ed25519));
	unlink(revoked_file);
	expect_refused(&s, wr_span(&ed25519), "No such file");
	free(pin);
	free(place);
}

static void test_another_port_has_keys_of_its_own(void **state)
{
	struct setting s = {.port = 2222};

	(void)state;
	put(user_file, "[db.example.com]:2222 " ED25519 "\n");
	expect_accepted(&s, wr_span(&ed25519));
	expect_refused(&s, key_blob(host), "ssh-keygen -R '[db.example.com]:2222'");
	expect_refused(&strict, wr_span(&ed25519), "is not known");
}

static void test_without_a_line_for_the_port_the_hosts_own_will_do(void **state)
{
	struct setting s = {.port = 2222}, s_new = {.port = 2222, .check = HOSTKEY_ACCEPT_NEW};

	(void)state;
	put(user_file, "db.example.com " ED25519 "\n");
	expect_accepted(&s, wr_span(&ed25519));
	/* It only accepts: the other key is unknown, not changed. */
	expect_refused(&s, key_blob(host), "is not known");
	put(user_file, "db.example.com " ED25519 "\n@revoked db.example.com " RSA "\n");
	expect_refused(&s_new, wr_span(&rsa), "revoked");
	put(user_file, "db.example.com " ED25519 "\n[db.example.com]:2222 " P256 "\n");
	expect_refused(&s, wr_span(&ed25519), "another type");
}

/* ---- accept-new ---- */

static void test_a_new_host_is_written_down_and_known_from_then_on(void **state)
{
	(void)state;
	expect_accepted(&accept_new, wr_span(&ed25519));
	expect_user_file("db.example.com " ED25519 "\n");
	expect_accepted(&strict, wr_span(&ed25519));
	expect_refused(&accept_new, key_blob(host), "has changed");
}

static void test_a_new_host_that_cannot_be_remembered_is_refused(void **state)
{
	struct setting s = accept_new;
	const char *const files[] = {"/nonexistent/folder/known_hosts"};
	struct hostkey_options options = {
	    .name = "db.example.com",
	    .port = 22,
	    .address = "db.example.com",
	    .check = s.check,
	    .known_hosts = files,
	    .known_hosts_count = 1,
	};
	struct err e = ERR_INIT;

	(void)state;
	struct hostkey_policy *policy = hostkey_policy_new(&options, &e);
	assert_int_equal(verify(policy, wr_span(&ed25519), &e), ERR_HOST_KEY);
	assert_non_null(strstr(e.text, "cannot be remembered: /nonexistent/folder"));
	hostkey_policy_free(policy);
	options.known_hosts_count = 0;
	err_clear(&e);
	policy = hostkey_policy_new(&options, &e);
	assert_int_equal(verify(policy, wr_span(&ed25519), &e), ERR_HOST_KEY);
	hostkey_policy_free(policy);
}

/* ---- pins ---- */

static void test_pins_are_fingerprints_or_whole_keys(void **state)
{
	struct setting by_hash = {.pins = {TEST_ED25519_FINGERPRINT}};
	struct setting by_hash_padded = {.pins = {TEST_ED25519_FINGERPRINT "="}};
	struct setting by_key = {.pins = {ED25519 " comment"}};
	struct setting two = {.pins = {TEST_RSA_FINGERPRINT, ED25519}};

	(void)state;
	expect_accepted(&by_hash, wr_span(&ed25519));
	expect_accepted(&by_hash_padded, wr_span(&ed25519));
	expect_accepted(&by_key, wr_span(&ed25519));
	expect_accepted(&two, wr_span(&ed25519));
	expect_accepted(&two, wr_span(&rsa));
	expect_refused(&by_hash, wr_span(&rsa), "not the pinned one, " TEST_ED25519_FINGERPRINT);
	expect_refused(&two, wr_span(&p256), "or another of host_key");
}

static void test_with_pins_known_hosts_is_not_read(void **state)
{
	struct setting s = {.pins = {TEST_ED25519_FINGERPRINT}, .check = HOSTKEY_ACCEPT_NEW};

	(void)state;
	put(user_file, "db.example.com " RSA "\n@revoked * " ED25519 "\n");
	expect_accepted(&s, wr_span(&ed25519));
	expect_refused(&s, wr_span(&rsa), "pinned");
	unlink(user_file);
	assert_int_equal(mkdir(user_file, 0700), 0); /* not even to see that it cannot be */
	expect_accepted(&s, wr_span(&ed25519));
	rmdir(user_file);
}

static void test_a_pin_that_is_none_is_an_error(void **state)
{
	static const char *const bad[] = {"", "SHA256:", "SHA256:abc", "MD5:00:11", "ssh-ed25519",
	    "ssh-ed25519 AAAA", ("ssh-rsa " TEST_ED25519_BLOB),
	    "SHA256:R04ejHzvJyTwnsSKT1uweGMGSknjqWoHSpBqTh4DMuUA"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct hostkey_options options = {
		    .name = "x", .port = 22, .address = "x", .pins = &bad[i], .pin_count = 1};
		struct err e = ERR_INIT;
		assert_null(hostkey_policy_new(&options, &e));
		assert_int_equal(e.class, ERR_CONFIG);
		assert_non_null(strstr(e.text, "host_key"));
	}
}

static void test_a_known_hosts_file_that_cannot_be_read_is_an_error(void **state)
{
	const char *const files[] = {folder};
	struct hostkey_options options = {
	    .name = "x", .port = 22, .address = "x", .known_hosts = files, .known_hosts_count = 1};
	struct err e = ERR_INIT;

	(void)state;
	assert_null(hostkey_policy_new(&options, &e));
	assert_int_equal(e.class, ERR_CONFIG);
}

/* ---- certificates ---- */

static struct wr host_cert(const struct key *signer, const char *principal, uint64_t before)
{
	return make_cert_blob(&(struct made_cert){.key = host,
	    .ca = signer,
	    .serial = 1,
	    .type = CERT_HOST,
	    .principal = principal,
	    .valid_before = before});
}

static void put_ca(const char *more)
{
	char *base64 = str_base64(key_blob(ca), BASE64_PADDED);
	char *text = str_format("@cert-authority *.example.com ssh-ed25519 %s\n%s", base64, more);

	put(user_file, text);
	free(text);
	free(base64);
}

static void expect_cert(const struct setting *setting, struct wr cert, const char *words)
{
	if (words)
		expect_refused(setting, wr_span(&cert), words);
	else
		expect_accepted(setting, wr_span(&cert));
	wr_clear(&cert);
}

static void test_a_certificate_of_a_known_ca_is_accepted(void **state)
{
	(void)state;
	put_ca("");
	expect_cert(&strict, host_cert(ca, "db.example.com", 0), NULL);
	expect_cert(&strict, host_cert(ca, "*.example.com", 0), NULL);
	/* also where the host has other keys */
	put_ca("db.example.com " ED25519 "\n");
	expect_cert(&strict, host_cert(ca, "db.example.com", 0), NULL);
}

static void test_a_certificate_that_is_not_in_order_is_refused(void **state)
{
	char *place = str_format("(its CA is known by %s:1)", user_file);
	struct wr users = make_cert_blob(&(struct made_cert){
	    .key = host, .ca = ca, .type = CERT_USER, .principal = "db.example.com"});

	(void)state;
	put_ca("");
	for (int i = 0; i < 2; i++) {
		const struct setting *s = i ? &accept_new : &strict;
		expect_cert(s, host_cert(ca, "db.example.com", NOW), "has expired");
		expect_cert(s, host_cert(ca, "db.example.com", NOW), place);
		expect_cert(s, host_cert(ca, "other.example.com", 0), "for another host");
		expect_cert(s, host_cert(ca, NULL, 0), "no principals");
	}
	expect_refused(&strict, wr_span(&users), "user's certificate");
	wr_clear(&users);
	free(place);
}

static void test_a_certificate_of_another_ca_is_refused(void **state)
{
	(void)state;
	put_ca("");
	expect_cert(&strict, host_cert(other_ca, "db.example.com", 0), "no certificate of the CA");
	expect_cert(
	    &accept_new, host_cert(other_ca, "db.example.com", 0), "no certificate of the CA");
	expect_refused(&accept_new, key_blob(host), "no certificate of the CA");
}

static void test_a_key_falls_with_its_revoked_certificate(void **state)
{
	char *line = known_hosts_line("db.example.com", 22, key_blob(host));
	struct wr blob = host_cert(ca, "db.example.com", 0);
	char *base64 = str_base64(wr_span(&blob), BASE64_PADDED);
	char *text =
	    str_format("%s\n@revoked * ssh-ed25519-cert-v01@openssh.com %s\n", line, base64);

	(void)state;
	put(user_file, text);
	expect_refused(&strict, key_blob(host), "revoked by");
	expect_cert(&strict, host_cert(other_ca, "db.example.com", 0), "revoked by");
	free(text);
	free(base64);
	free(line);
	wr_clear(&blob);
}

static void test_a_certificate_counts_as_its_key_where_that_is_known(void **state)
{
	char *line = known_hosts_line("db.example.com", 22, key_blob(host));

	(void)state;
	put(user_file, line);
	expect_cert(&strict, host_cert(other_ca, "db.example.com", 0), NULL);
	put_ca(line);
	expect_cert(
	    &strict, host_cert(ca, "db.example.com", NOW), NULL); /* expired, as ssh has it */
	unlink(user_file);
	expect_cert(&accept_new, host_cert(other_ca, "db.example.com", 0), NULL);
	char *text = str_format("%s\n", line);
	expect_user_file(text);
	free(text);
	free(line);
}

static void test_a_revoked_ca_refuses_what_it_signed(void **state)
{
	char *base64 = str_base64(key_blob(ca), BASE64_PADDED);
	char *more = str_format("@revoked * ssh-ed25519 %s\n", base64);
	char *host_line = known_hosts_line("db.example.com", 22, key_blob(host));
	char *more_and_key = str_format("%s%s\n", more, host_line);

	(void)state;
	put_ca(more);
	expect_cert(&strict, host_cert(ca, "db.example.com", 0), "revoked by");
	put_ca(more_and_key);
	expect_cert(&strict, host_cert(ca, "db.example.com", 0), "revoked by");
	free(more_and_key);
	free(host_line);
	free(more);
	free(base64);
}

static void test_a_ca_is_no_host(void **state)
{
	(void)state;
	put_ca("");
	expect_refused(&strict, key_blob(ca), "no certificate of the CA");
}

static void test_a_pin_holds_for_the_key_in_a_certificate(void **state)
{
	char *pin = key_fingerprint(key_blob(host));
	struct setting s = {.pins = {pin}};

	(void)state;
	expect_cert(&s, host_cert(other_ca, "whatever", 0), NULL);
	free(pin);
}

/* ---- later exchanges, fetching, order ---- */

static void test_later_exchanges_accept_the_first_key_alone(void **state)
{
	struct hostkey_policy *policy = make_policy(&strict);
	struct err e = ERR_INIT;

	(void)state;
	hostkey_policy_free(policy);
	put(user_file, "db.example.com " ED25519 "\ndb.example.com " RSA "\n");
	policy = make_policy(&strict);
	assert_int_equal(verify(policy, wr_span(&ed25519), NULL), 0);
	assert_int_equal(verify(policy, wr_span(&ed25519), NULL), 0);
	assert_int_equal(verify(policy, wr_span(&rsa), &e), ERR_HOST_KEY);
	assert_non_null(strstr(e.text, "another host key in a later key exchange"));
	assert_int_equal(verify(policy, wr_span(&ed25519), NULL), 0);
	assert_string_equal(hostkey_policy_fingerprint(policy), TEST_ED25519_FINGERPRINT);
	hostkey_policy_free(policy);
}

static void test_fetching_accepts_nothing_and_shows_what_it_saw(void **state)
{
	struct setting s = {.check = HOSTKEY_FETCH};
	struct hostkey_policy *policy;
	struct wr cert = host_cert(ca, "x", 0);

	(void)state;
	put(user_file, "db.example.com " ED25519 "\n");
	expect_refused(&s, wr_span(&ed25519), "only asked for");
	policy = make_policy(&s);
	assert_string_equal(hostkey_policy_fingerprint(policy), "");
	assert_int_equal(hostkey_policy_seen(policy).n, 0);
	assert_int_equal(verify(policy, wr_span(&cert), NULL), ERR_HOST_KEY);
	assert_true(span_equal(hostkey_policy_seen(policy), key_blob(host)));
	hostkey_policy_free(policy);
	expect_user_file("db.example.com " ED25519 "\n");
	wr_clear(&cert);
}

static void test_what_is_no_key_is_the_peers_fault(void **state)
{
	struct hostkey_policy *policy = make_policy(&accept_new);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
	    hostkey_policy_verify(policy, SPAN_LITERAL("x"), SPAN_LITERAL("ssh-ed25519"), &e),
	    ERR_PEER);
	assert_int_equal(hostkey_policy_verify(policy, wr_span(&ed25519),
			     SPAN_LITERAL("ssh-ed25519-cert-v01@openssh.com"), NULL),
	    ERR_PEER);
	hostkey_policy_free(policy);
}

#define ALL \
	"ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,ssh-ed25519," \
	"ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256"

static void expect_order(const struct setting *setting, const char *expected)
{
	struct hostkey_policy *policy = make_policy(setting);
	char *order = hostkey_policy_order(policy, ALL);

	assert_string_equal(order, expected);
	free(order);
	hostkey_policy_free(policy);
}

static void test_what_is_known_of_the_host_is_asked_for_first(void **state)
{
	struct setting pinned = {.pins = {TEST_ED25519_FINGERPRINT, RSA}};
	struct setting port = {.port = 2222};
	static const char unknown[] =
	    "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,"
	    "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com";
	static const char rsa_first[] =
	    "rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256,"
	    "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com";

	(void)state;
	expect_order(&strict, unknown);
	put(user_file, "db.example.com " RSA "\n");
	expect_order(&strict, rsa_first);
	expect_order(&port, rsa_first);
	put(user_file, "db.example.com " RSA "\n[db.example.com]:2222 " P256 "\n");
	expect_order(&port, "ecdsa-sha2-nistp256,ssh-ed25519,rsa-sha2-512,rsa-sha2-256,"
			    "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com");
	put(user_file, "@revoked db.example.com " RSA "\n");
	expect_order(&strict, unknown);
	put_ca("db.example.com " RSA "\n");
	expect_order(&strict, "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,"
			      "rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256");
	expect_order(&pinned, rsa_first); /* whatever the files say */
}

/* ---- hostkeys-00@openssh.com ---- */

static struct wr announcement(const struct span *keys, size_t count)
{
	struct wr w = WR_INIT;

	for (size_t i = 0; i < count; i++)
		wr_string(&w, keys[i]);
	return w;
}

/* Verifies key, announces; returns the count of new keys, updates as if they were proven. */
static int announce(const struct setting *setting, struct span key, const struct span *keys,
    size_t count, struct span *ret_new)
{
	struct hostkey_policy *policy = make_policy(setting);
	struct wr message = announcement(keys, count);
	struct err e = ERR_INIT;

	if (verify(policy, key, &e) < 0)
		fail_msg("%s", e.text);
	int rc = hostkey_policy_announced(policy, wr_span(&message), ret_new);
	if (rc >= 0 &&
	    hostkey_policy_update(policy, wr_span(&message), ret_new, (size_t)rc, &e) < 0)
		fail_msg("%s", e.text);
	wr_clear(&message);
	hostkey_policy_free(policy);
	return rc;
}

static void test_new_keys_are_added_and_vanished_ones_removed(void **state)
{
	struct span keys[] = {wr_span(&ed25519), wr_span(&p256)}, new[HOSTKEY_ANNOUNCED_MAX];
	struct hostkey_policy *policy;
	struct wr message = announcement(keys, 2);

	(void)state;
	put(user_file, "db.example.com " RSA " old\nother " RSA "\ndb.example.com " ED25519 "\n");
	policy = make_policy(&strict);
	assert_int_equal(verify(policy, wr_span(&ed25519), NULL), 0);
	assert_int_equal(hostkey_policy_announced(policy, wr_span(&message), new), 1);
	assert_true(span_equal(new[0], wr_span(&p256)));
	/* nothing happens before they are proven */
	expect_user_file("db.example.com " RSA " old\nother " RSA "\ndb.example.com " ED25519 "\n");
	assert_int_equal(hostkey_policy_update(policy, wr_span(&message), new, 1, NULL), 0);
	expect_user_file("other " RSA "\ndb.example.com " ED25519 "\ndb.example.com " P256 "\n");
	hostkey_policy_free(policy);
	wr_clear(&message);
}

/* ssh takes RSA keys of 1,024 bits, and reads the same file. */
static void test_a_key_that_we_would_not_take_stays_as_long_as_it_is_announced(void **state)
{
	uint8_t modulus[128] = {0xc0, [127] = 1};
	struct wr small = WR_INIT;

	(void)state;
	wr_cstring(&small, "ssh-rsa");
	wr_mpint(&small, SPAN("\1\0\1", 3));
	wr_mpint(&small, SPAN(modulus, sizeof(modulus)));
	struct span keys[] = {wr_span(&ed25519), wr_span(&small)}, new[HOSTKEY_ANNOUNCED_MAX];
	char *line = known_hosts_line("db.example.com", 22, wr_span(&small));
	char *text = str_format("db.example.com " ED25519 "\n%s\n", line);
	put(user_file, text);
	assert_int_equal(announce(&strict, keys[0], keys, 2, new), 0);
	expect_user_file(text);
	assert_int_equal(announce(&strict, keys[0], keys, 1, new), 0);
	expect_user_file("db.example.com " ED25519 "\n");
	free(text);
	free(line);
	wr_clear(&small);
}

/* ssh-keygen -R, or another client, while the proof is on its way. */
static void test_only_what_was_proven_is_written(void **state)
{
	static const char before[] = "db.example.com " ED25519 "\ndb.example.com " RSA "\n";
	struct span keys[] = {wr_span(&ed25519), wr_span(&p256), wr_span(&rsa)};
	struct span new[HOSTKEY_ANNOUNCED_MAX];
	struct hostkey_policy *policy;
	struct wr message = announcement(keys, 3);
	struct err e = ERR_INIT;

	(void)state;
	put(user_file, before);
	policy = make_policy(&strict);
	assert_int_equal(verify(policy, wr_span(&ed25519), NULL), 0);
	assert_int_equal(hostkey_policy_announced(policy, wr_span(&message), new), 1);
	/* a key that was known then, and is not any more, was not proven */
	put(user_file, "db.example.com " ED25519 "\n");
	assert_int_equal(hostkey_policy_update(policy, wr_span(&message), new, 1, &e), ERR_LOCAL);
	assert_non_null(strstr(e.text, "changed while"));
	expect_user_file("db.example.com " ED25519 "\n");
	/* one that somebody else has added is not added again */
	put(user_file,
	    "db.example.com " ED25519 "\ndb.example.com " RSA "\ndb.example.com " P256 "\n");
	assert_int_equal(hostkey_policy_update(policy, wr_span(&message), new, 1, NULL), 0);
	expect_user_file(
	    "db.example.com " ED25519 "\ndb.example.com " RSA "\ndb.example.com " P256 "\n");
	put(user_file, before);
	assert_int_equal(hostkey_policy_update(policy, wr_span(&message), new, 1, NULL), 0);
	expect_user_file(
	    "db.example.com " ED25519 "\ndb.example.com " RSA "\ndb.example.com " P256 "\n");
	hostkey_policy_free(policy);
	wr_clear(&message);
}

static void test_a_key_that_was_just_accepted_may_be_joined_by_others(void **state)
{
	struct span keys[] = {wr_span(&ed25519), wr_span(&p256)}, new[HOSTKEY_ANNOUNCED_MAX];

	(void)state;
	assert_int_equal(announce(&accept_new, keys[0], keys, 2, new), 1);
	expect_user_file("db.example.com " ED25519 "\ndb.example.com " P256 "\n");
}

static void expect_untouched(const struct setting *setting, const char *text, struct span key)
{
	struct span keys[] = {wr_span(&ed25519), wr_span(&p256)}, new[HOSTKEY_ANNOUNCED_MAX];

	put(user_file, text);
	assert_int_equal(announce(setting, key, keys, 2, new), 0);
	expect_user_file(text);
}

/* The linker puts this in the place of known_hosts_line_matches(), which hashes the name if the line's is hashed. */
static size_t lines_matched;
bool __real_known_hosts_line_matches(const struct known_hosts_line *line, const char *full_name);
bool __wrap_known_hosts_line_matches(const struct known_hosts_line *line, const char *full_name);

bool __wrap_known_hosts_line_matches(const struct known_hosts_line *line, const char *full_name)
{
	lines_matched++;
	return __real_known_hosts_line_matches(line, full_name);
}

/* How often a line is matched for an announcement of the first count of keys, all but the first of which are new. */
static size_t match_announced(const struct span *keys, size_t count)
{
	struct span new[HOSTKEY_ANNOUNCED_MAX];
	struct hostkey_policy *policy = make_policy(&strict);
	struct wr message = announcement(keys, count);

	assert_int_equal(verify(policy, keys[0], NULL), 0);
	lines_matched = 0;
	assert_int_equal(hostkey_policy_announced(policy, wr_span(&message), new), count - 1);
	wr_clear(&message);
	hostkey_policy_free(policy);
	return lines_matched;
}

/* A file can have thousands of lines, and a server can announce many keys. */
static void test_lines_are_looked_through_once_for_all_keys(void **state)
{
	struct span keys[] = {wr_span(&ed25519), wr_span(&p256), key_blob(host), key_blob(ca)};

	(void)state;
	put(user_file, "db.example.com " ED25519 "\n"
		       "|1|QXIUb8G/a65km3ORDsRQRHJVzC0=|TBHEHaqNDILA+TnGQl4OJX08DPk= " RSA "\n"
		       "another " RSA "\n");
	size_t for_one = match_announced(keys, 1);
	assert_in_range(for_one, 3, 4);
	assert_int_equal(match_announced(keys, 2), for_one);
	assert_int_equal(match_announced(keys, 4), for_one);
}

/* How often a line is matched from the offer to the decision, under that setting. */
static size_t match_first_exchange(const struct setting *setting, struct span key)
{
	struct hostkey_policy *policy = make_policy(setting);

	lines_matched = 0;
	free(hostkey_policy_order(policy, ALL));
	assert_int_equal(verify(policy, key, NULL), 0);
	hostkey_policy_free(policy);
	return lines_matched;
}

static void test_lines_are_looked_through_once_for_the_offer_and_the_decision(void **state)
{
	struct setting port = {.port = 2222};

	(void)state;
	put(user_file, "db.example.com " ED25519 "\nanother " RSA "\nthird " RSA "\n");
	assert_int_equal(match_first_exchange(&strict, wr_span(&ed25519)), 3);
	/* under its port, and then without */
	assert_int_equal(match_first_exchange(&port, wr_span(&ed25519)), 2 * 3);
}

static void test_lines_that_are_not_this_hosts_alone_are_not_touched(void **state)
{
	struct setting pinned = {.pins = {TEST_ED25519_FINGERPRINT}}, port = {.port = 2222};

	(void)state;
	expect_untouched(&strict, "db.example.com,192.0.2.7 " ED25519 "\n", wr_span(&ed25519));
	expect_untouched(&strict, "*.example.com " ED25519 "\n", wr_span(&ed25519));
	expect_untouched(
	    &strict, "db.example.com " ED25519 "\n*.example.com " RSA "\n", wr_span(&ed25519));
	expect_untouched(
	    &strict, "db.example.com " ED25519 "\n@revoked * " RSA "\n", wr_span(&ed25519));
	expect_untouched(
	    &strict, "db.example.com " ED25519 "\n@cert-authority * " RSA "\n", wr_span(&ed25519));
	/* another host has the key */
	expect_untouched(
	    &strict, "db.example.com " ED25519 "\nother " ED25519 "\n", wr_span(&ed25519));
	expect_untouched(
	    &strict, "db.example.com " ED25519 "\nother " P256 "\n", wr_span(&ed25519));
	/* verified by something else than a line of its own */
	expect_untouched(&pinned, "db.example.com " ED25519 "\n", wr_span(&ed25519));
	expect_untouched(&port, "db.example.com " ED25519 "\n", wr_span(&ed25519));
	/* the server does not announce the key that it showed */
	expect_untouched(&strict, "db.example.com " RSA "\n", wr_span(&rsa));
	put(system_file, "db.example.com " ED25519 "\n");
	expect_untouched(&strict, "", wr_span(&ed25519));
	expect_untouched(&strict, "db.example.com " RSA "\n", wr_span(&ed25519));
}

static void test_a_key_verified_by_certificate_changes_nothing(void **state)
{
	struct wr cert = host_cert(ca, "db.example.com", 0);
	struct span keys[] = {key_blob(host), wr_span(&p256)}, new[HOSTKEY_ANNOUNCED_MAX];

	(void)state;
	put_ca("");
	assert_int_equal(announce(&strict, wr_span(&cert), keys, 2, new), 0);
	wr_clear(&cert);
}

static void test_announcements_that_cannot_be_are_refused(void **state)
{
	struct span twice[] = {wr_span(&ed25519), wr_span(&ed25519)}, new[HOSTKEY_ANNOUNCED_MAX];
	struct span odd[] = {wr_span(&ed25519), SPAN_LITERAL("\0\0\0\7unknown"), wr_span(&p256)};
	struct wr message = announcement(odd, 3), many = WR_INIT;
	struct hostkey_policy *policy = make_policy(&strict);

	(void)state;
	for (size_t n = message.n - 1; n > message.n - 20; n--)
		assert_true(hostkey_policy_announced(policy, SPAN(message.p, n), new) < 0);
	for (uint8_t i = 0; i < HOSTKEY_ANNOUNCED_MAX + 1; i++) {
		struct key *key = make_ed25519((uint8_t)(100 + i));
		wr_string(&many, key_blob(key));
		key_free(key);
	}
	assert_true(hostkey_policy_announced(policy, wr_span(&many), new) < 0);
	assert_true(hostkey_policy_update(policy, wr_span(&many), NULL, 0, NULL) < 0);
	hostkey_policy_free(policy);

	put(user_file, "db.example.com " ED25519 "\n");
	assert_true(announce(&strict, wr_span(&ed25519), twice, 2, new) < 0);
	/* types that we do not know are left out */
	assert_int_equal(announce(&strict, wr_span(&ed25519), odd, 3, new), 1);
	wr_clear(&message);
	wr_clear(&many);
}

#define TEST(name) cmocka_unit_test_setup(name, no_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_known_key_is_accepted_from_any_line),
	    TEST(test_a_key_is_accepted_though_another_line_has_another),
	    TEST(test_an_unknown_host_is_refused_with_what_to_do),
	    TEST(test_a_changed_key_is_refused_with_the_place_of_the_old_one),
	    TEST(test_a_key_of_another_type_is_refused_even_when_new_ones_are_accepted),
	    TEST(test_a_revoked_key_is_refused_though_it_is_known),
	    TEST(test_a_file_of_revoked_keys_refuses),
	    TEST(test_another_port_has_keys_of_its_own),
	    TEST(test_without_a_line_for_the_port_the_hosts_own_will_do),
	    TEST(test_a_new_host_is_written_down_and_known_from_then_on),
	    TEST(test_a_new_host_that_cannot_be_remembered_is_refused),
	    TEST(test_pins_are_fingerprints_or_whole_keys),
	    TEST(test_with_pins_known_hosts_is_not_read),
	    TEST(test_a_pin_that_is_none_is_an_error),
	    TEST(test_a_known_hosts_file_that_cannot_be_read_is_an_error),
	    TEST(test_a_certificate_of_a_known_ca_is_accepted),
	    TEST(test_a_certificate_that_is_not_in_order_is_refused),
	    TEST(test_a_certificate_of_another_ca_is_refused),
	    TEST(test_a_key_falls_with_its_revoked_certificate),
	    TEST(test_a_certificate_counts_as_its_key_where_that_is_known),
	    TEST(test_a_revoked_ca_refuses_what_it_signed),
	    TEST(test_a_ca_is_no_host),
	    TEST(test_a_pin_holds_for_the_key_in_a_certificate),
	    TEST(test_later_exchanges_accept_the_first_key_alone),
	    TEST(test_fetching_accepts_nothing_and_shows_what_it_saw),
	    TEST(test_what_is_no_key_is_the_peers_fault),
	    TEST(test_what_is_known_of_the_host_is_asked_for_first),
	    TEST(test_new_keys_are_added_and_vanished_ones_removed),
	    TEST(test_a_key_that_we_would_not_take_stays_as_long_as_it_is_announced),
	    TEST(test_only_what_was_proven_is_written),
	    TEST(test_a_key_that_was_just_accepted_may_be_joined_by_others),
	    TEST(test_lines_are_looked_through_once_for_all_keys),
	    TEST(test_lines_are_looked_through_once_for_the_offer_and_the_decision),
	    TEST(test_lines_that_are_not_this_hosts_alone_are_not_touched),
	    TEST(test_a_key_verified_by_certificate_changes_nothing),
	    TEST(test_announcements_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
