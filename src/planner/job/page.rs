//! When the web page was gone: the time a site was without its platform. Pure.

use crate::ledger::{Job, PageTimes, Stage};
use crate::planner::{Inputs, Step};

/// What is to be noted of the page now.
pub(super) fn note(inputs: &Inputs<'_>, job: &Job) -> Option<Step> {
    let page = inputs.snapshot.page.fresh()?;
    let known = job.page;
    let now = Some(inputs.now);
    let noted = match (job.has_touched(), page.answers) {
        (false, true) if !known.answered => PageTimes { answered: true, ..known },
        (true, false) if known.answered && known.gone.is_none() => PageTimes { gone: now, ..known },
        // It is gone again: until it is back for good, nobody can work.
        (true, false) if known.back.is_some() => PageTimes { back: None, ..known },
        (true, true) if known.gone.is_some() && known.back.is_none() && job.stage >= Stage::Install => {
            PageTimes { back: now, ..known }
        }
        _ => return None,
    };
    Some(Step::NotePage(noted))
}
