dnl The classical way of DRAC: a Berkeley DB file of the addresses that may send through this server. The weakest way:
dnl a file cannot say that it is out of date, and does not know in whose name somebody has logged in.
dnl Sekisho writes it with: relay.export = "btree:/etc/mail/dracd.db"

LOCAL_CONFIG
Kdrac btree -a<GRANT> -T<TMPF> MAIL_SETTINGS_DIR`'dracd

LOCAL_RULESETS
SLocal_check_rcpt
R$*			$: $1 $| $>"Rcpt_ok" $1
R$* $| RELAY		$@ OURS
R$* $| $#TEMP $*	$: $1 $| NONE
R$* $| $#$*		$@ OURS
R$* $| $*		$: $&{client_addr}
RIPv6:$*		$: $1
R$+			$: <ASKED> $(drac $1 $: NONE $)
R<ASKED> $* <TMPF>	$#error $@ 4.3.0 $: "451 We cannot check now whether you may send to the outside, try again later"
R<ASKED> $* <GRANT>	$#OK
