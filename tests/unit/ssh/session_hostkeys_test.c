#include "connection_rig.h"

#include "ssh/key.h"
#include "ssh/keyfile.h"
#include "ssh/session_hostkeys.h"
#include "test_keys.h"

/* ---- a policy that remembers what it was asked ---- */

struct hostkey_policy {
	int answer; /* of hostkey_policy_announced() */
	int updates;
	struct wr updated; /* the message of the last update */
	struct wr proven;  /* what was said to be proven then, as strings */
	int update_answer;
};

/* The last `answer` strings of the message are the new keys. */
int hostkey_policy_announced(
    struct hostkey_policy *policy, struct span message, struct span *ret_new)
{
	struct span all[HOSTKEY_ANNOUNCED_MAX];
	struct rd r;
	int n = 0;

	rd_init(&r, message);
	while (rd_left(&r) && n < HOSTKEY_ANNOUNCED_MAX)
		all[n++] = rd_string(&r);
	for (int i = 0; i < policy->answer; i++)
		ret_new[i] = all[n - policy->answer + i];
	return policy->answer;
}

int hostkey_policy_update(struct hostkey_policy *policy, struct span message,
    const struct span *proven, size_t proven_count, struct err *e)
{
	policy->updates++;
	wr_reset(&policy->updated);
	wr_span_bytes(&policy->updated, message);
	wr_reset(&policy->proven);
	for (size_t i = 0; i < proven_count; i++)
		wr_string(&policy->proven, proven[i]);
	return policy->update_answer ? err_set(e, ERR_LOCAL, "the disk is full") : 0;
}

/* ---- keys ---- */

static struct key *ed25519, *rsa, *ecdsa;

static struct key *key_from(const char *file)
{
	struct err e = ERR_INIT;
	struct key *key = keyfile_parse(span_of(file), "test", NULL, NULL, &e);

	assert_non_null(key);
	return key;
}

static int make_keys(void **state)
{
	(void)state;
	ed25519 = key_from(TEST_ED25519_FILE);
	rsa = key_from(TEST_RSA_FILE);
	ecdsa = key_from(TEST_ECDSA_P256_FILE);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	key_free(ed25519);
	key_free(rsa);
	key_free(ecdsa);
	return 0;
}

static void prove(struct wr *to, const struct key *key, const char *algorithm,
    const char *session_id, const struct key *said)
{
	struct wr data = WR_INIT, signature = WR_INIT;

	wr_cstring(&data, "hostkeys-prove-00@openssh.com");
	wr_cstring(&data, session_id);
	wr_string(&data, key_blob(said));
	assert_int_equal(key_sign(key, span_of(algorithm), wr_span(&data), &signature, NULL), 0);
	wr_string(to, wr_span(&signature));
	wr_clear(&data);
	wr_clear(&signature);
}

#define ID "session identifier"

struct announced {
	struct rig *rig;
	struct hostkey_policy policy;
	struct wr keys, proof;
};

/* The server has an old key and says that it has these two besides. */
static struct announced *announce(int answer)
{
	struct announced *a = NEW(struct announced);

	a->rig = rig_new();
	a->policy.answer = answer;
	session_hostkeys_start(a->rig->session, &a->policy, NULL);
	wr_string(&a->keys, key_blob(ecdsa));
	wr_string(&a->keys, key_blob(ed25519));
	wr_string(&a->keys, key_blob(rsa));
	rig_feed(a->rig, "bsox", SSH_MSG_GLOBAL_REQUEST, "hostkeys-00@openssh.com", false,
	    wr_span(&a->keys));
	return a;
}

static void expect_question(struct announced *a)
{
	rig_expect(a->rig, "bsoSS", SSH_MSG_GLOBAL_REQUEST, "hostkeys-prove-00@openssh.com", true,
	    key_blob(ed25519), key_blob(rsa));
}

static void answer(struct announced *a)
{
	rig_feed(a->rig, "bx", SSH_MSG_REQUEST_SUCCESS, wr_span(&a->proof));
}

static void finish(struct announced *a, int updates)
{
	assert_int_equal(a->policy.updates, updates);
	assert_int_equal(a->rig->closed, 0); /* whatever was wrong with it, the connection lives */
	rig_free(a->rig);
	wr_clear(&a->keys);
	wr_clear(&a->proof);
	wr_clear(&a->policy.updated);
	wr_clear(&a->policy.proven);
	free(a);
}

static void expect_proven(
    const struct announced *a, const struct key *first, const struct key *second)
{
	struct wr keys = WR_INIT;

	wr_string(&keys, key_blob(first));
	wr_string(&keys, key_blob(second));
	assert_true(span_equal(wr_span(&a->policy.proven), wr_span(&keys)));
	wr_clear(&keys);
}

static void test_new_keys_that_are_proven_are_written(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	assert_int_equal(a->policy.updates, 0);
	prove(&a->proof, ed25519, "ssh-ed25519", ID, ed25519);
	prove(&a->proof, rsa, "rsa-sha2-256", ID, rsa);
	answer(a);
	assert_true(span_equal(wr_span(&a->policy.updated), wr_span(&a->keys)));
	expect_proven(a, ed25519, rsa);
	finish(a, 1);
}

static void test_without_new_keys_nothing_is_asked_and_what_vanished_goes(void **state)
{
	struct announced *a = announce(0);

	(void)state;
	rig_expect_nothing(a->rig);
	assert_true(span_equal(wr_span(&a->policy.updated), wr_span(&a->keys)));
	assert_int_equal(a->policy.proven.n, 0);
	finish(a, 1);
}

static void test_a_malformed_announcement_is_ignored(void **state)
{
	struct announced *a = announce(-3);

	(void)state;
	rig_expect_nothing(a->rig);
	finish(a, 0);
}

static void test_only_the_first_announcement_counts(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	rig_feed(a->rig, "bsox", SSH_MSG_GLOBAL_REQUEST, "hostkeys-00@openssh.com", false,
	    wr_span(&a->keys));
	rig_expect_nothing(a->rig);
	finish(a, 0);
}

static void test_a_refused_proof_changes_nothing(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	rig_feed(a->rig, "b", SSH_MSG_REQUEST_FAILURE);
	finish(a, 0);
}

static void test_each_key_must_be_proven(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	prove(&a->proof, ed25519, "ssh-ed25519", ID, ed25519);
	answer(a);
	finish(a, 0);
}

static void test_a_proof_too_many_is_refused(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	prove(&a->proof, ed25519, "ssh-ed25519", ID, ed25519);
	prove(&a->proof, rsa, "rsa-sha2-512", ID, rsa);
	prove(&a->proof, rsa, "rsa-sha2-512", ID, rsa);
	answer(a);
	finish(a, 0);
}

static void test_proofs_stand_in_order(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	prove(&a->proof, rsa, "rsa-sha2-512", ID, rsa);
	prove(&a->proof, ed25519, "ssh-ed25519", ID, ed25519);
	answer(a);
	finish(a, 0);
}

static void test_a_proof_by_another_key_is_refused(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	prove(&a->proof, ed25519, "ssh-ed25519", ID, ed25519);
	prove(&a->proof, ed25519, "ssh-ed25519", ID, rsa);
	answer(a);
	finish(a, 0);
}

static void test_a_proof_for_another_session_is_refused(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	prove(&a->proof, ed25519, "ssh-ed25519", "another identifier", ed25519);
	prove(&a->proof, rsa, "rsa-sha2-512", ID, rsa);
	answer(a);
	finish(a, 0);
}

static void test_garbage_is_no_proof(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	wr_cstring(&a->proof, "garbage");
	wr_cstring(&a->proof, "");
	answer(a);
	finish(a, 0);
}

static void test_a_file_that_cannot_be_written_is_no_end(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	a->policy.update_answer = ERR_LOCAL;
	expect_question(a);
	prove(&a->proof, ed25519, "ssh-ed25519", ID, ed25519);
	prove(&a->proof, rsa, "rsa-sha2-512", ID, rsa);
	answer(a);
	finish(a, 1);
}

static void test_the_session_may_end_before_the_proof(void **state)
{
	struct announced *a = announce(2);

	(void)state;
	expect_question(a);
	finish(a, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_new_keys_that_are_proven_are_written),
	    cmocka_unit_test(test_without_new_keys_nothing_is_asked_and_what_vanished_goes),
	    cmocka_unit_test(test_a_malformed_announcement_is_ignored),
	    cmocka_unit_test(test_only_the_first_announcement_counts),
	    cmocka_unit_test(test_a_refused_proof_changes_nothing),
	    cmocka_unit_test(test_each_key_must_be_proven),
	    cmocka_unit_test(test_a_proof_too_many_is_refused),
	    cmocka_unit_test(test_proofs_stand_in_order),
	    cmocka_unit_test(test_a_proof_by_another_key_is_refused),
	    cmocka_unit_test(test_a_proof_for_another_session_is_refused),
	    cmocka_unit_test(test_garbage_is_no_proof),
	    cmocka_unit_test(test_a_file_that_cannot_be_written_is_no_end),
	    cmocka_unit_test(test_the_session_may_end_before_the_proof),
	};

	return cmocka_run_group_tests_name("ssh/session_hostkeys", tests, make_keys, free_keys);
}
