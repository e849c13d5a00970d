# the example configuration and adit.conf(5)
