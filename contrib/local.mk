# Completions, units and what a monitoring system wants; packages put them where their distribution has them.
EXTRA_DIST += \
	contrib/completion/_adit contrib/completion/adit.bash \
	contrib/prometheus/adit.dashboard.json contrib/prometheus/adit.rules.test.yml contrib/prometheus/adit.rules.yml \
	contrib/systemd/adit-orders-db.socket contrib/systemd/adit-wait@.service contrib/systemd/adit.service \
	contrib/systemd/adit@.service
EXTRA_DIST += contrib/check contrib/demo contrib/packages.sh
EXTRA_DIST += contrib/debian13
