EXTRA_DIST += contrib/check contrib/demo contrib/packages.sh
EXTRA_DIST += contrib/debian13
