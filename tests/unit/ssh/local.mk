UNIT_TESTS_SSH =

UNIT_TESTS_SSH += tests/unit/ssh/ext_info_test
tests_unit_ssh_ext_info_test_SOURCES = tests/unit/ssh/ext_info_test.c
tests_unit_ssh_ext_info_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/key_test
tests_unit_ssh_key_test_SOURCES = tests/unit/ssh/key_test.c tests/unit/ssh/test_keys.h
tests_unit_ssh_key_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/cert_test
tests_unit_ssh_cert_test_SOURCES = tests/unit/ssh/cert_test.c tests/unit/ssh/test_certs.h tests/unit/ssh/test_keys.h
tests_unit_ssh_cert_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/revoked_test
tests_unit_ssh_revoked_test_SOURCES = tests/unit/ssh/revoked_test.c tests/unit/ssh/made_cert.h tests/unit/ssh/test_krls.h \
	tests/unit/ssh/test_certs.h tests/unit/ssh/test_keys.h
tests_unit_ssh_revoked_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/hostkey_test
tests_unit_ssh_hostkey_test_SOURCES = tests/unit/ssh/hostkey_test.c tests/unit/ssh/made_cert.h tests/unit/ssh/test_keys.h
tests_unit_ssh_hostkey_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)
tests_unit_ssh_hostkey_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=known_hosts_line_matches

UNIT_TESTS_SSH += tests/unit/ssh/agent_test
tests_unit_ssh_agent_test_SOURCES = tests/unit/ssh/agent_test.c
tests_unit_ssh_agent_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/known_hosts_test
tests_unit_ssh_known_hosts_test_SOURCES = tests/unit/ssh/known_hosts_test.c tests/unit/ssh/test_keys.h
tests_unit_ssh_known_hosts_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)
tests_unit_ssh_known_hosts_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=evp_has_digest

UNIT_TESTS_SSH += tests/unit/ssh/cipher_test
tests_unit_ssh_cipher_test_SOURCES = tests/unit/ssh/cipher_test.c tests/unit/ssh/hex.h
tests_unit_ssh_cipher_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/mac_test
tests_unit_ssh_mac_test_SOURCES = tests/unit/ssh/mac_test.c tests/unit/ssh/hex.h
tests_unit_ssh_mac_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/packet_test
tests_unit_ssh_packet_test_SOURCES = tests/unit/ssh/packet_test.c tests/unit/ssh/hex.h
tests_unit_ssh_packet_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/ident_test
tests_unit_ssh_ident_test_SOURCES = tests/unit/ssh/ident_test.c tests/unit/ssh/hex.h
tests_unit_ssh_ident_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/agreement_test
tests_unit_ssh_agreement_test_SOURCES = tests/unit/ssh/agreement_test.c tests/unit/ssh/hex.h
tests_unit_ssh_agreement_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/policy_test
tests_unit_ssh_policy_test_SOURCES = tests/unit/ssh/policy_test.c
tests_unit_ssh_policy_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/algorithms_test
tests_unit_ssh_algorithms_test_SOURCES = tests/unit/ssh/algorithms_test.c tests/unit/ssh/hex.h
tests_unit_ssh_algorithms_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/kex_hash_test
tests_unit_ssh_kex_hash_test_SOURCES = tests/unit/ssh/kex_hash_test.c tests/unit/ssh/hex.h
tests_unit_ssh_kex_hash_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/kexinit_test
tests_unit_ssh_kexinit_test_SOURCES = tests/unit/ssh/kexinit_test.c tests/unit/ssh/kex_pair.c tests/unit/ssh/kex_pair.h \
	tests/unit/ssh/hex.h tests/unit/ssh/test_keys.h
tests_unit_ssh_kexinit_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/kex_host_key_test
tests_unit_ssh_kex_host_key_test_SOURCES = tests/unit/ssh/kex_host_key_test.c tests/unit/ssh/kex_pair.c tests/unit/ssh/kex_pair.h \
	tests/unit/ssh/hex.h tests/unit/ssh/test_certs.h tests/unit/ssh/test_keys.h
tests_unit_ssh_kex_host_key_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/kex_test
tests_unit_ssh_kex_test_SOURCES = tests/unit/ssh/kex_test.c tests/unit/ssh/kex_pair.c tests/unit/ssh/kex_pair.h \
	tests/unit/ssh/hex.h tests/unit/ssh/test_keys.h
tests_unit_ssh_kex_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/bcrypt_pbkdf_test
tests_unit_ssh_bcrypt_pbkdf_test_SOURCES = tests/unit/ssh/bcrypt_pbkdf_test.c
tests_unit_ssh_bcrypt_pbkdf_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/keyring_test
tests_unit_ssh_keyring_test_SOURCES = tests/unit/ssh/keyring_test.c tests/unit/ssh/made_cert.h
tests_unit_ssh_keyring_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/keyfile_test
tests_unit_ssh_keyfile_test_SOURCES = tests/unit/ssh/keyfile_test.c tests/unit/ssh/test_keyfiles.h
tests_unit_ssh_keyfile_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

# The connection layer: without a transport, but for a fake one.
CONNECTION_RIG = tests/unit/ssh/connection_rig.h tests/lib/fake_transport.h tests/lib/fake_transport.c

UNIT_TESTS_SSH += tests/unit/ssh/channel_bev_test
tests_unit_ssh_channel_bev_test_SOURCES = tests/unit/ssh/channel_bev_test.c tests/unit/net/bev_rules.h tests/unit/net/bev_watch.h $(CONNECTION_RIG)
tests_unit_ssh_channel_bev_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/disconnect_test
tests_unit_ssh_disconnect_test_SOURCES = tests/unit/ssh/disconnect_test.c
tests_unit_ssh_disconnect_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/kept_test
tests_unit_ssh_kept_test_SOURCES = tests/unit/ssh/kept_test.c
tests_unit_ssh_kept_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/rekey_test
tests_unit_ssh_rekey_test_SOURCES = tests/unit/ssh/rekey_test.c
tests_unit_ssh_rekey_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/auth_prompts_test
tests_unit_ssh_auth_prompts_test_SOURCES = tests/unit/ssh/auth_prompts_test.c
tests_unit_ssh_auth_prompts_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/session_test
tests_unit_ssh_session_test_SOURCES = tests/unit/ssh/session_test.c $(CONNECTION_RIG)
tests_unit_ssh_session_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/session_requests_test
tests_unit_ssh_session_requests_test_SOURCES = tests/unit/ssh/session_requests_test.c $(CONNECTION_RIG)
tests_unit_ssh_session_requests_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/session_keepalive_test
tests_unit_ssh_session_keepalive_test_SOURCES = tests/unit/ssh/session_keepalive_test.c $(CONNECTION_RIG)
tests_unit_ssh_session_keepalive_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/channel_test
tests_unit_ssh_channel_test_SOURCES = tests/unit/ssh/channel_test.c $(CONNECTION_RIG)
tests_unit_ssh_channel_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/sharing_test
tests_unit_ssh_sharing_test_SOURCES = tests/unit/ssh/sharing_test.c $(CONNECTION_RIG)
tests_unit_ssh_sharing_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/channel_window_test
tests_unit_ssh_channel_window_test_SOURCES = tests/unit/ssh/channel_window_test.c $(CONNECTION_RIG)
tests_unit_ssh_channel_window_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/pump_test
tests_unit_ssh_pump_test_SOURCES = tests/unit/ssh/pump_test.c $(CONNECTION_RIG)
tests_unit_ssh_pump_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/exec_test
tests_unit_ssh_exec_test_SOURCES = tests/unit/ssh/exec_test.c $(CONNECTION_RIG)
tests_unit_ssh_exec_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

# Those with the scripted server of tests/lib.
SERVER_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
SERVER_LIBS = libtestserver.a $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/transport_test
tests_unit_ssh_transport_test_SOURCES = tests/unit/ssh/transport_test.c tests/unit/ssh/transport_rig.h tests/unit/ssh/test_keys.h
tests_unit_ssh_transport_test_CPPFLAGS = $(SERVER_CPPFLAGS)
tests_unit_ssh_transport_test_LDADD = $(SERVER_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/protocol_handshake_test
tests_unit_ssh_protocol_handshake_test_SOURCES = tests/unit/ssh/protocol_handshake_test.c tests/unit/ssh/transport_rig.h
tests_unit_ssh_protocol_handshake_test_CPPFLAGS = $(SERVER_CPPFLAGS)
tests_unit_ssh_protocol_handshake_test_LDADD = $(SERVER_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/protocol_packets_test
tests_unit_ssh_protocol_packets_test_SOURCES = tests/unit/ssh/protocol_packets_test.c tests/unit/ssh/transport_rig.h
tests_unit_ssh_protocol_packets_test_CPPFLAGS = $(SERVER_CPPFLAGS)
tests_unit_ssh_protocol_packets_test_LDADD = $(SERVER_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/auth_test
tests_unit_ssh_auth_test_SOURCES = tests/unit/ssh/auth_test.c tests/unit/ssh/transport_rig.h tests/unit/ssh/auth_agent.h
tests_unit_ssh_auth_test_CPPFLAGS = $(SERVER_CPPFLAGS)
tests_unit_ssh_auth_test_LDADD = $(SERVER_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/client_test
tests_unit_ssh_client_test_SOURCES = tests/unit/ssh/client_test.c tests/unit/ssh/transport_rig.h tests/unit/ssh/auth_agent.h
tests_unit_ssh_client_test_CPPFLAGS = $(SERVER_CPPFLAGS)
tests_unit_ssh_client_test_LDADD = $(SERVER_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/agent_forward_test
tests_unit_ssh_agent_forward_test_SOURCES = tests/unit/ssh/agent_forward_test.c $(CONNECTION_RIG)
tests_unit_ssh_agent_forward_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)

UNIT_TESTS_SSH += tests/unit/ssh/session_hostkeys_test
tests_unit_ssh_session_hostkeys_test_SOURCES = tests/unit/ssh/session_hostkeys_test.c tests/unit/ssh/test_keys.h $(CONNECTION_RIG)
tests_unit_ssh_session_hostkeys_test_LDADD = $(UP_TO_SSH) $(UNIT_LIBS)
