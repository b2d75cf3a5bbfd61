//! Judging a case again. The verdict is read where it is given, and ends there.

use guard::record::{Ended, Origin};
use guard::{AskedRcpt, Command, ExplainId, Gathered, Judged, Record, Reserved, Stage};
use judge::{Case, Login, Told};
use records::Kept;

use crate::came::Came;
use crate::known::{self, Asked, By, Unknowns};
use crate::subject::{Subject, Unjudged};

/// Rounds of one judgement; the guard needs fewer.
const ROUNDS_MAX: usize = 10;

/// What came of judging again.
#[derive(Debug, Clone)]
pub struct Again {
    /// What it comes to.
    pub came: Came,
    /// What it would have had to know and was not recorded.
    pub unknown: Unknowns,
    /// A place would have been reserved that nobody asked for then: it was taken for granted.
    pub assumed_place: bool,
    /// All of it, as a record would tell; `None`: it was not judged, or came to no end.
    pub record: Option<Box<Record>>,
}

/// Judges a record again by a configuration or a policy.
pub async fn judged(record: &Kept, by: &By<'_>) -> Result<Again, Unjudged> {
    let subject = Subject::of(record)?;
    if subject.is_beyond_policy() {
        return Ok(Again {
            came: Came::recorded(record),
            unknown: Unknowns::new(),
            assumed_place: false,
            record: None,
        });
    }
    Ok(again(subject, by).await)
}

/// Judges a case, as it was or as it is supposed to be.
pub(crate) async fn again(mut subject: Subject, by: &By<'_>) -> Again {
    let mut unknown = Unknowns::new();
    known::settle(&mut subject, by, &mut unknown);
    let mut case = Case::imagined(guard::Case::again(&subject.stood));
    if let Some(login) = &subject.told {
        case.set_login(Login::Told(Told::new(login)));
    }
    let mut command = command(&subject, case.as_guard());
    for known in &subject.known {
        command.learn(case.as_guard_mut(), &known.need, Gathered::Found(known.found.clone()));
    }
    let mut assumed_place = false;
    for _ in 0..ROUNDS_MAX {
        match guard::judge(by.policy, case.as_guard_mut(), &mut command) {
            Judged::Verdict(verdict) => {
                let hits = command.hits().to_vec();
                let ended = Ended { policy: by.policy, case: case.as_guard(), verdict: &verdict };
                let of = Origin { session: String::new(), listener: "".into() };
                let record = Record::new(ExplainId::from_random(0), of, ended, command);
                return Again {
                    came: Came::of(verdict, &hits),
                    unknown,
                    assumed_place,
                    record: Some(Box::new(record)),
                };
            }
            Judged::Need(needs) => {
                let asked = Asked { case: &case, command: &command, needs: &needs };
                let answers = Box::pin(known::answer(by, &subject, asked, &mut unknown)).await;
                for (need, gathered) in needs.iter().zip(answers) {
                    command.learn(case.as_guard_mut(), need, gathered);
                }
            }
            Judged::Reserve(charges) => command.reserved(match (subject.reserved(&charges), &by.judge) {
                (Some(reserved), _) => reserved,
                (None, Some(judge)) => judge.has_places(&case, &charges).await,
                (None, None) => {
                    assumed_place = true;
                    Reserved::All
                }
            }),
        }
    }
    Again { came: Came::undecided(), unknown, assumed_place, record: None }
}

fn command<'a>(subject: &'a Subject, case: &guard::Case) -> Command<'a> {
    let Some(forward_path) = subject.path.as_ref().filter(|_| subject.stage == Stage::Rcpt) else {
        return Command::new(subject.stage, case, subject.at);
    };
    let asked = AskedRcpt { forward_path, had_source_route: subject.under.source_route };
    if subject.confirms { Command::confirm(asked, case, subject.at) } else { Command::rcpt(asked, case, subject.at) }
}
