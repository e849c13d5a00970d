noinst_LIBRARIES += libssh.a
libssh_a_SOURCES = \
	src/ssh/algorithms.h src/ssh/cipher.h src/ssh/ident.h src/ssh/kex.h src/ssh/mac.h src/ssh/packet.h
