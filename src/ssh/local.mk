noinst_LIBRARIES += libssh.a
libssh_a_SOURCES = \
	src/ssh/auth.h src/ssh/channel.h src/ssh/client.h src/ssh/exec.h src/ssh/session.h src/ssh/transport.h \
	src/ssh/agent.h \
	src/ssh/messages.h src/ssh/ext_info.h src/ssh/ext_info.c \
	src/ssh/algorithms.h \
	src/ssh/cert.h \
	src/ssh/cipher.h \
	src/ssh/hostkey.h \
	src/ssh/ident.h \
	src/ssh/kex.h \
	src/ssh/key.c src/ssh/key.h \
	src/ssh/key_ecdsa.c \
	src/ssh/key_ed25519.c \
	src/ssh/key_kind.h \
	src/ssh/key_rsa.c \
	src/ssh/key_sk.c \
	src/ssh/keyfile.h \
	src/ssh/known_hosts.h \
	src/ssh/mac.h \
	src/ssh/packet.h
