dnl Sekisho beside sendmail, as a milter: it can only refuse what sendmail would take. While it is away, all mail is put
dnl off with 4xx (F=T). It goes together with sekisho.m4. Include it in sendmail.mc above the MAILERs.
dnl
dnl Where Sekisho listens. For a Unix socket define it before the include: local:/run/sekisho/milter
ifdef(`SEKISHO_MILTER', `', `define(`SEKISHO_MILTER', `inet:10033@127.0.0.1')')dnl
dnl How long one answer may take; then it counts as away.
ifdef(`SEKISHO_MILTER_WAIT', `', `define(`SEKISHO_MILTER_WAIT', `30s')')dnl
INPUT_MAIL_FILTER(`sekisho', `S=SEKISHO_MILTER, F=T, T=C:10s;S:10s;R:SEKISHO_MILTER_WAIT;E:2m')dnl
