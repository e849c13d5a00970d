EXTRA_DIST += contrib/check contrib/demo contrib/packages.sh
