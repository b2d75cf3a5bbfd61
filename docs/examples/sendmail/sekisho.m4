dnl Sekisho beside sendmail, by socketmap: who has a grant may send through this server, and who is barred hears it at
dnl once. sendmail's own rules stay in force. Include it in sendmail.mc, below the FEATUREs and above the MAILERs.
dnl
dnl Where Sekisho listens. For a Unix socket define it before the include: local:/run/sekisho/socketmap
ifdef(`SEKISHO_SOCKETMAP', `', `define(`SEKISHO_SOCKETMAP', `inet:10032@127.0.0.1')')dnl

LOCAL_CONFIG
# Found ends with <GRANT>, "could not ask" with <TMPF>: nothing else can be taken for a yes.
Krelay socket -f -q -d10 -a<GRANT> -T<TMPF> SEKISHO_SOCKETMAP
Kconnect socket -f -q -d10 -T<TMPF> SEKISHO_SOCKETMAP

LOCAL_RULESETS
# The client's address without sendmail's prefix; empty for mail that was made on this machine.
SSekisho_client
R$*			$: $&{client_addr}
RIPv6:$*		$: $1

# At the connection. If Sekisho cannot be asked, everybody may speak: who may send outside is decided below.
SLocal_check_relay
R$*			$: $>Sekisho_client
R$+			$: <ASKED> $(connect $1 $: NONE $)
R<ASKED> $* <TMPF>	$@ NONE
R<ASKED> REJECT $*	$#error $@ 5.7.1 $: 550 $1
R<ASKED> DEFER $*	$#error $@ 4.7.1 $: 450 $1

# At each recipient. What sendmail itself takes or refuses stays so: own and relay domains, RELAY, AUTH, To: entries.
SLocal_check_rcpt
R$*			$: $1 $| $>"Rcpt_ok" $1
R$* $| RELAY		$@ OURS
R$* $| $#TEMP $*	$: $1 $| NONE
R$* $| $#$*		$@ OURS
R$* $| $*		$: $1 $| $>"Relay_ok" $1
R$* $| RELAY		$@ MAY
# A stranger writes to the outside: has he a grant?
R$* $| $*		$: $1 $| $>Sekisho_client
R$* $|			$@ NONE
R<$*> $| $+		$: $1 $| $2
R$* $| $+		$: <ASKED> $(relay $2 <$&f> <$1> $: NONE $)
R<ASKED> $* <TMPF>	$#error $@ 4.3.0 $: "451 We cannot check now whether you may send to the outside, try again later"
R<ASKED> $* <GRANT>	$#OK
# No grant: sendmail goes on, and refuses in its own words.
