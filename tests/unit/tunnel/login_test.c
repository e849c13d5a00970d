/*
 * What a host's configuration and the files of the moment give for a login.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "tests/unit/ssh/made_identity.h"
#include "tunnel/login.h"

static struct config *config;
static struct login login;
static struct client_options options;
static struct err why;
static char key_path[128], cert_path[128];

static int setup(void **state)
{
	rig_setup(state);
	config = NULL;
	options = (struct client_options){0};
	login = (struct login){0};
	err_clear(&why);
	snprintf(key_path, sizeof(key_path), "%s/id", rig_folder());
	snprintf(cert_path, sizeof(cert_path), "%s/id-cert.pub", rig_folder());
	write_identity(key_path, 1);
	return 0;
}

static int teardown(void **state)
{
	login_discard_options(&options);
	login_clear(&login);
	config_unref(config);
	return rig_teardown(state);
}

static struct config *read_config(const char *keys)
{
	char *text = str_format(
	    "hosts: { a: { %s }; }; tunnels: { x: { via = \"a\"; socks = \"${P}\"; }; };", keys);
	struct config *read = rig_config(text);

	free(text);
	return read;
}

static int prepare_from(struct config *read)
{
	config = read;
	return login_prepare(&config->hosts[0], NULL, NULL, NULL, &login, &options, &why);
}

static int prepare(const char *keys)
{
	return prepare_from(read_config(keys));
}

#define IDENTITY "identity = \"${DIR}/id\";"

static void test_a_key_that_was_configured_is_offered(void **state)
{
	(void)state;
	assert_int_equal(prepare(IDENTITY), 0);
	assert_int_equal(options.auth.identity_count, 1);
	assert_string_equal(options.auth.identities[0].name, key_path);
	assert_null(options.auth.identities[0].cert);
	assert_int_equal(options.auth.agent_keys, AUTH_AGENT_IDENTITIES_ONLY);
	assert_true(login.expires == UINT64_MAX);
}

static void test_a_key_that_was_configured_and_is_not_there_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(prepare("identity = \"${DIR}/nothing\";"), ERR_CONFIG);
	assert_non_null(strstr(why.text, "nothing"));
	assert_int_equal(options.auth.identity_count, 0);
}

/* As ssh has it. */
static void test_a_bad_file_among_several_is_named_and_the_others_are_offered(void **state)
{
	char *open = str_format("%s/open", rig_folder()),
	     *text = str_format("%s/text", rig_folder());
	char *words =
	    str_format("%s/nothing: No such file or directory; %s: permissions 0644 are "
		       "too open: others can read it; chmod 600 %s; %s: holds no private key",
		rig_folder(), open, open, text);

	(void)state;
	write_identity(open, 2);
	assert_int_equal(chmod(open, 0644), 0);
	write_file(text, SPAN_LITERAL("no key\n"));
	assert_int_equal(prepare("identity = [\"${DIR}/nothing\", \"${DIR}/open\", "
				 "\"${DIR}/text\", \"${DIR}/id\"];"),
	    0);
	assert_int_equal(options.auth.identity_count, 1);
	assert_string_equal(options.auth.identities[0].name, key_path);
	assert_string_equal(login.not_used, words);
	assert_int_equal(rig_log_count("identity-skipped"), 3);
	free(words);
	free(text);
	free(open);
}

static void test_files_none_of_which_can_be_used_are_an_error_that_names_them_all(void **state)
{
	(void)state;
	assert_int_equal(
	    prepare("identity = [\"${DIR}/nothing\", \"${DIR}/neither\"];"), ERR_CONFIG);
	assert_non_null(strstr(why.text, "/nothing: No such file"));
	assert_non_null(strstr(why.text, "/neither: No such file"));
}

static void expect_identity(size_t i, const char *file, uint8_t seed, bool from_agent)
{
	const struct auth_identity *identity = &options.auth.identities[i];
	struct key *key = make_ed25519(seed);

	assert_true(i < options.auth.identity_count);
	assert_string_equal(strrchr(identity->name, '/') + 1, file);
	assert_true(span_equal(key_blob(identity->key), key_blob(key)));
	assert_int_equal(identity->from_agent, from_agent);
	assert_int_equal(key_is_private(identity->key), !from_agent);
	if (identity->cert)
		assert_true(span_equal(key_blob(cert_key(identity->cert)), key_blob(key)));
	key_free(key);
}

#define AGENT "agent = \"${DIR}/agent\";"
#define PUBLIC_IDENTITY "identity = \"${DIR}/id.pub\";"

static void test_a_public_key_stands_for_that_of_the_agent(void **state)
{
	char *path = str_format("%s/id.pub", rig_folder());
	struct key *key = make_ed25519(1);

	(void)state;
	write_public(path, 1);
	assert_int_equal(prepare(AGENT PUBLIC_IDENTITY), 0);
	assert_int_equal(options.auth.identity_count, 1);
	assert_true(options.auth.identities[0].from_agent);
	assert_true(span_equal(key_blob(options.auth.identities[0].key), key_blob(key)));
	key_free(key);
	free(path);
}

static void test_why_files_are_left_to_the_agent_is_kept(void **state)
{
	char *open = str_format("%s/open", rig_folder()), *public = str_format("%s.pub", open);
	char *gone = str_format("%s/gone.pub", rig_folder());
	char *words = str_format("%s: permissions 0644 are too open: others can read it; chmod 600 "
				 "%s; %s/gone: No such file or directory",
	    open, open, rig_folder());

	(void)state;
	write_identity(open, 2);
	assert_int_equal(chmod(open, 0644), 0);
	write_public(public, 2);
	write_public(gone, 3);
	assert_int_equal(
	    prepare(AGENT "identity = [\"${DIR}/id\", \"${DIR}/open\", \"${DIR}/gone\"];"), 0);
	assert_int_equal(options.auth.identity_count, 3);
	expect_identity(0, "id", 1, false);
	expect_identity(1, "open", 2, true);
	expect_identity(2, "gone", 3, true);
	assert_string_equal(login.left_to_agent, words);
	free(words);
	free(open);
	free(public);
	free(gone);
}

static void test_a_public_key_without_an_agent_is_named(void **state)
{
	char *path = str_format("%s/id.pub", rig_folder());

	(void)state;
	write_public(path, 1);
	assert_int_equal(prepare(PUBLIC_IDENTITY), ERR_CONFIG);
	assert_non_null(strstr(why.text, "id.pub: is a public key: name the file of its private"));
	assert_null(strstr(why.text, "chmod"));
	free(path);
}

static void test_a_host_without_any_way_to_log_in_is_an_error(void **state)
{
	(void)state;
	config =
	    rig_config("hosts: { a: { }; }; tunnels: { x: { via = \"a\"; socks = \"${P}\"; }; };");
	struct config_host host = config->hosts[0];
	host.identity.n = 0;
	host.password.kind = CONFIG_SECRET_NONE;
	assert_int_equal(
	    login_prepare(&host, NULL, NULL, NULL, &login, &options, &why), ERR_CONFIG);
	assert_non_null(strstr(why.text, "nothing to log in with"));
}

static void test_a_certificate_beside_its_key_is_offered_with_it(void **state)
{
	uint64_t end = (uint64_t)clock_wall() + 1000;

	(void)state;
	write_certificate(cert_path, 1, end);
	assert_int_equal(prepare(IDENTITY), 0);
	assert_non_null(options.auth.identities[0].cert);
	assert_true(login.expires == end);
	assert_true(rig_log_has("certificate-expires"));
}

static void test_one_that_is_configured_is_taken_instead(void **state)
{
	(void)state;
	char *other = str_format("%s/other-cert.pub", rig_folder());

	write_certificate(other, 1, 0);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 1000);
	assert_int_equal(prepare(IDENTITY "certificate = \"${DIR}/other-cert.pub\";"), 0);
	assert_non_null(options.auth.identities[0].cert);
	assert_true(login.expires == UINT64_MAX);
	free(other);
}

#define TWO_CERTIFICATES "certificate = [\"${DIR}/1-cert.pub\", \"${DIR}/2-cert.pub\"];"

static void write_two_certificates(uint8_t seed_1, uint64_t end_1, uint8_t seed_2, uint64_t end_2)
{
	char *first = str_format("%s/1-cert.pub", rig_folder());
	char *second = str_format("%s/2-cert.pub", rig_folder());

	write_certificate(first, seed_1, end_1);
	write_certificate(second, seed_2, end_2);
	free(first);
	free(second);
}

static void test_each_certificate_of_a_key_is_offered(void **state)
{
	uint64_t now = (uint64_t)clock_wall();

	(void)state;
	write_two_certificates(1, now + 9000, 1, now + 8000);
	assert_int_equal(prepare(IDENTITY TWO_CERTIFICATES), 0);
	assert_int_equal(options.auth.identity_count, 2);
	expect_identity(0, "id", 1, false);
	expect_identity(1, "id", 1, false);
	assert_true(cert_valid_before(options.auth.identities[0].cert) == now + 9000);
	assert_true(cert_valid_before(options.auth.identities[1].cert) == now + 8000);
	assert_int_equal(login.certificates, 2);
	assert_true(login.expires == now + 8000);
}

static void test_a_certificate_that_no_identity_is_for_is_for_the_agents_key(void **state)
{
	(void)state;
	write_two_certificates(1, 0, 2, 0);
	assert_int_equal(prepare(AGENT IDENTITY TWO_CERTIFICATES), 0);
	assert_int_equal(options.auth.identity_count, 2);
	expect_identity(0, "id", 1, false);
	expect_identity(1, "2-cert.pub", 2, true);
	assert_non_null(options.auth.identities[1].cert);
	assert_int_equal(login.certificates, 2);
	assert_false(rig_log_has("certificate-unusable"));
}

static void test_a_certificate_for_no_key_at_all_is_named(void **state)
{
	(void)state;
	write_two_certificates(1, 0, 2, 0);
	assert_int_equal(prepare(IDENTITY TWO_CERTIFICATES), 0);
	assert_int_equal(options.auth.identity_count, 1);
	assert_int_equal(login.certificates, 1);
	assert_int_equal(rig_log_count("certificate-unusable"), 1);
	assert_true(rig_log_has("2-cert.pub: its key is none of the identities"));
	assert_non_null(strstr(login.not_used, "2-cert.pub: its key is none of the identities"));
}

static void test_a_configured_certificate_is_read_once_for_all_identities(void **state)
{
	uint64_t now = (uint64_t)clock_wall();
	char *second = str_format("%s/second", rig_folder());

	(void)state;
	write_identity(second, 2);
	write_two_certificates(1, now - 1, 2, now + 1000);
	assert_int_equal(
	    prepare("identity = [\"${DIR}/id\", \"${DIR}/second\"];" TWO_CERTIFICATES), 0);
	assert_int_equal(rig_log_count("certificate-unusable"), 1);
	assert_int_equal(rig_log_count("certificate-expires"), 1);
	assert_int_equal(options.auth.identity_count, 2);
	assert_null(options.auth.identities[0].cert);
	assert_non_null(options.auth.identities[1].cert);
	free(second);
}

static void test_a_certificate_that_has_ended_is_named_and_the_key_offered_alone(void **state)
{
	(void)state;
	write_certificate(cert_path, 1, (uint64_t)clock_wall() - 1);
	assert_int_equal(prepare(IDENTITY), 0);
	assert_int_equal(options.auth.identity_count, 1);
	assert_null(options.auth.identities[0].cert);
	assert_true(login.expires == UINT64_MAX);
	assert_true(rig_log_has("certificate-unusable"));
	assert_non_null(strstr(login.not_used, "/id-cert.pub: the certificate has expired"));
}

static void test_a_certificate_of_another_key_is_not_used_nor_waited_for(void **state)
{
	(void)state;
	write_certificate(cert_path, 2, (uint64_t)clock_wall() + 1000);
	assert_int_equal(prepare(IDENTITY), 0);
	assert_null(options.auth.identities[0].cert);
	assert_true(rig_log_has("it is for another key"));
	assert_true(login.expires == UINT64_MAX);
}

static void test_the_first_of_several_ends_counts(void **state)
{
	uint64_t now = (uint64_t)clock_wall();
	char *second = str_format("%s/second", rig_folder());
	char *second_cert = str_format("%s/second-cert.pub", rig_folder());

	(void)state;
	write_identity(second, 2);
	write_certificate(cert_path, 1, now + 5000);
	write_certificate(second_cert, 2, now + 4000);
	assert_int_equal(prepare("identity = [\"${DIR}/id\", \"${DIR}/second\"];"), 0);
	assert_int_equal(options.auth.identity_count, 2);
	assert_true(login.expires == now + 4000);
	login_discard_options(&options);
	login_clear(&login);
	config_unref(config);
	write_certificate(cert_path, 1, now + 3000);
	assert_int_equal(prepare("identity = [\"${DIR}/id\", \"${DIR}/second\"];"), 0);
	assert_true(login.expires == now + 3000);
	free(second);
	free(second_cert);
}

static void test_what_changed_on_disk_counts_the_next_time(void **state)
{
	uint64_t now = (uint64_t)clock_wall();
	struct client_options later = {0};
	struct login again = {0};

	(void)state;
	write_certificate(cert_path, 1, now + 1000);
	assert_int_equal(prepare(IDENTITY), 0);
	write_certificate(cert_path, 1, now + 9000);
	assert_int_equal(
	    login_prepare(&config->hosts[0], NULL, NULL, NULL, &again, &later, &why), 0);
	assert_true(login.expires == now + 1000);
	assert_true(again.expires == now + 9000);
	login_discard_options(&later);
	login_clear(&again);
}

/* Not: skipped, and then there is nothing to log in with; nor: without its certificate. */
static void test_without_descriptors_it_is_no_fault_of_the_files(void **state)
{
	static const char *const keys[] = {
	    IDENTITY, IDENTITY "certificate = \"${DIR}/id-cert.pub\";", ""};
	struct rlimit before, none;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
		struct config *read = read_config(keys[i]);
		none = before;
		none.rlim_cur = 0;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		int result = prepare_from(read);
		setrlimit(RLIMIT_NOFILE, &before);
		assert_int_equal(result, ERR_LOCAL);
		assert_non_null(strstr(why.text, "Too many open files"));
		login_discard_options(&options);
		login_clear(&login);
		err_clear(&why);
		config_unref(config);
		config = NULL;
	}
}

static void test_a_password_is_kept_with_the_login(void **state)
{
	(void)state;
	assert_int_equal(prepare(IDENTITY), 0);
	assert_ptr_equal(options.auth.password, &login.password);
	assert_true(login.password.n > 0);
}

static void test_the_limits_of_the_host_are_those_of_the_connection(void **state)
{
	(void)state;
	assert_int_equal(
	    prepare("keepalive_interval = 7; keepalive_count = 5; connect_timeout = 3; "
		    "rekey_interval = 60; ciphers = [\"aes128-ctr\", \"aes256-ctr\"];"),
	    0);
	assert_int_equal(options.session.keepalive_interval_ms, 7000);
	assert_int_equal(options.session.keepalive_count, 5);
	assert_int_equal(options.login_timeout_ms, 3000);
	assert_int_equal(options.transport.rekey_interval_ms, 60000);
	assert_string_equal(options.transport.prefs.ciphers, "aes128-ctr,aes256-ctr");
}

/* The transport has an order of its own, by what is known of the host. */
static void test_host_key_algorithms_are_the_users_or_nobodys(void **state)
{
	(void)state;
	assert_int_equal(prepare("host_key_algorithms = [\"rsa-sha2-512\", \"ssh-ed25519\"];"), 0);
	assert_string_equal(options.transport.prefs.host_key, "rsa-sha2-512,ssh-ed25519");
	login_discard_options(&options);
	login_clear(&login);
	config_unref(config);
	assert_int_equal(prepare(""), 0);
	assert_null(options.transport.prefs.host_key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_key_that_was_configured_is_offered),
	    TEST(test_a_key_that_was_configured_and_is_not_there_is_an_error),
	    TEST(test_a_bad_file_among_several_is_named_and_the_others_are_offered),
	    TEST(test_files_none_of_which_can_be_used_are_an_error_that_names_them_all),
	    TEST(test_a_public_key_stands_for_that_of_the_agent),
	    TEST(test_why_files_are_left_to_the_agent_is_kept),
	    TEST(test_a_public_key_without_an_agent_is_named),
	    TEST(test_a_host_without_any_way_to_log_in_is_an_error),
	    TEST(test_a_certificate_beside_its_key_is_offered_with_it),
	    TEST(test_one_that_is_configured_is_taken_instead),
	    TEST(test_each_certificate_of_a_key_is_offered),
	    TEST(test_a_certificate_that_no_identity_is_for_is_for_the_agents_key),
	    TEST(test_a_certificate_for_no_key_at_all_is_named),
	    TEST(test_a_configured_certificate_is_read_once_for_all_identities),
	    TEST(test_a_certificate_that_has_ended_is_named_and_the_key_offered_alone),
	    TEST(test_a_certificate_of_another_key_is_not_used_nor_waited_for),
	    TEST(test_the_first_of_several_ends_counts),
	    TEST(test_what_changed_on_disk_counts_the_next_time),
	    TEST(test_without_descriptors_it_is_no_fault_of_the_files),
	    TEST(test_a_password_is_kept_with_the_login),
	    TEST(test_the_limits_of_the_host_are_those_of_the_connection),
	    TEST(test_host_key_algorithms_are_the_users_or_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
