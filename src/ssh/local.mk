noinst_LIBRARIES += libssh.a
libssh_a_SOURCES = \
	src/ssh/agent_forward.c src/ssh/agent_forward.h \
	src/ssh/direct.h src/ssh/direct.c \
	src/ssh/disconnect.h src/ssh/disconnect.c \
	src/ssh/kept.h src/ssh/kept.c \
	src/ssh/rekey.h src/ssh/rekey.c \
	src/ssh/auth_prompts.h src/ssh/auth_prompts.c \
	src/ssh/transport.c src/ssh/transport_private.h src/ssh/transport_kex.c src/ssh/transport_messages.c \
	src/ssh/auth.c src/ssh/auth_private.h src/ssh/auth_publickey.c src/ssh/auth_keys.h src/ssh/auth_keys.c src/ssh/client.c \
	src/ssh/agent.c src/ssh/agent.h \
	src/ssh/messages.h src/ssh/ext_info.h src/ssh/ext_info.c \
	src/ssh/agreement.h \
	src/ssh/agreement_dh.c src/ssh/agreement_ecdh.c src/ssh/agreement_hybrid.c \
	src/ssh/agreement_mlkem.c src/ssh/agreement_sntrup.c src/ssh/agreement_x25519.c \
	src/ssh/algorithms.c src/ssh/algorithms.h \
	src/ssh/auth.h \
	src/ssh/bcrypt_pbkdf.c src/ssh/bcrypt_pbkdf.h \
	src/ssh/cert.c src/ssh/cert.h \
	src/ssh/chachapoly.c src/ssh/chachapoly.h \
	src/ssh/channel.c src/ssh/channel.h src/ssh/channel_bev.c src/ssh/channel_input.c src/ssh/channel_requests.c src/ssh/channel_window.c \
	src/ssh/cipher.c src/ssh/cipher.h \
	src/ssh/client.h \
	src/ssh/connection.h src/ssh/pump.c src/ssh/sharing.c \
	src/ssh/crypt_pieces.c src/ssh/crypt_pieces.h \
	src/ssh/evp.c src/ssh/evp.h \
	src/ssh/exec.c src/ssh/exec.h \
	src/ssh/hostkey.c src/ssh/hostkey.h src/ssh/hostkey_policy.h \
	src/ssh/hostkey_order.c src/ssh/hostkey_update.c \
	src/ssh/krl.c src/ssh/krl.h src/ssh/revoked.c src/ssh/revoked.h \
	src/ssh/ident.c src/ssh/ident.h \
	src/ssh/kex.c src/ssh/kex.h \
	src/ssh/kex_hash.c src/ssh/kex_hash.h \
	src/ssh/kex_host_key.c src/ssh/kex_host_key.h \
	src/ssh/kex_messages.c src/ssh/kex_state.h \
	src/ssh/kex_method.c src/ssh/kex_method.h \
	src/ssh/kexinit.c src/ssh/kexinit.h \
	src/ssh/key.c src/ssh/key.h \
	src/ssh/key_ecdsa.c \
	src/ssh/key_ed25519.c \
	src/ssh/key_kind.h \
	src/ssh/key_rsa.c \
	src/ssh/key_sk.c \
	src/ssh/key_line.c src/ssh/key_line.h \
	src/ssh/keyfile.c src/ssh/keyfile.h src/ssh/keyfile_format.h \
	src/ssh/keyfile_openssh.c \
	src/ssh/keyfile_pem.c \
	src/ssh/keyring.c src/ssh/keyring.h \
	src/ssh/known_hosts.c src/ssh/known_hosts.h \
	src/ssh/known_hosts_line.c src/ssh/known_hosts_line.h \
	src/ssh/known_hosts_update.c \
	src/ssh/mac.c src/ssh/mac.h \
	src/ssh/packet.c src/ssh/packet.h \
	src/ssh/session_hostkeys.c src/ssh/session_hostkeys.h \
	src/ssh/session.c src/ssh/session.h src/ssh/session_keepalive.c src/ssh/session_loop.c src/ssh/session_requests.c \
	src/ssh/transport.h
