//! Questions without a message.

use super::*;

#[test]
fn a_question_ends_at_its_recipients() {
    play(
        Protocol::Smtp,
        &[Ask(2), Ask(1), Quit],
        "S: 220 mx
         C: EHLO me.example
         S: 250-mx~250 PIPELINING
         E: ready
         C: MAIL FROM:<s@h>
         C: RCPT TO:<r0@d>
         C: RCPT TO:<r1@d>
         S: 250 ok
         S: 550 5.1.1 who
         S: 250 yes
         E: done Rcpt 550 5.1.1 who | accepted 250 yes
         C: RSET
         C: MAIL FROM:<s@h>
         C: RCPT TO:<r0@d>
         S: 250 ok
         S: 451 later
         S: 503 no MAIL
         E: done Mail 451 later
         C: QUIT",
    );
    play(
        Protocol::Smtp,
        &[Ask(1), Quit],
        "S: 220 mx
         C: EHLO me.example
         S: 250 mx
         E: ready
         C: MAIL FROM:<s@h>
         S: 250 ok
         C: RCPT TO:<r0@d>
         S: 250 ok
         E: done accepted 250 ok
         C: QUIT",
    );
}
