# the example configuration and adit.conf(5)
dist_man_MANS += conf/adit.conf.5
examplesdir = $(docdir)/examples
dist_examples_DATA = conf/adit.conf
