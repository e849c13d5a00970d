noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/addr.c src/net/addr.h \
	src/net/addr_order.c src/net/addr_order.h \
	src/net/bev.c src/net/bev.h src/net/bev_pair.c src/net/bev_socket.c \
	src/net/change.c src/net/change.h \
	src/net/connector.c src/net/connector.h \
	src/net/descriptors.c src/net/descriptors.h \
	src/net/listener.c src/net/listener.h \
	src/net/lumps.c src/net/lumps.h \
	src/net/relay.c src/net/relay.h \
	src/net/resolver.c src/net/resolver.h \
	src/net/sockopt.c src/net/sockopt.h
