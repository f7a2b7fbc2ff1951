//! How fast the suite is when its log has grown: empty, with half of the shipments stored, and with all.

use anyhow::Result;
use system_tests::group::GroupPlace;

use crate::arguments::Arguments;
use crate::report::{EMPTY_PER_SECOND, HALF_PER_SECOND, MEMORY_MB, Outcome, PER_SECOND};
use crate::run::{CARRIERS_AT_ONCE, on_servers};
use crate::site::Site;
use crate::{run, stored};

/// Measures three times over one database, to which shipments are added in between.
pub(crate) async fn measure(
    arguments: &Arguments,
    site: &Site,
    place: &GroupPlace,
) -> Result<Outcome> {
    let all = arguments.stored;
    let half = all / 2;
    let steps = [
        (EMPTY_PER_SECOND, 0),
        (HALF_PER_SECOND, half),
        (PER_SECOND, all - half),
    ];
    let mut outcome = Outcome::default();
    for (nth, (figure, more)) in steps.into_iter().enumerate() {
        if more > 0 {
            run::say(&format!("growth: storing {more} more shipments"));
            let note = stored::add(&site.database(), more).await?;
            outcome.notes.extend(note.map(str::to_owned));
            run::say("growth: stored");
        }
        let place = GroupPlace {
            folder: place.folder.join(nth.to_string()),
            ..place.clone()
        };
        let measured = on_servers(arguments, site, &place, 1, &[CARRIERS_AT_ONCE], true).await?;
        let found = |name| measured.figures.get(name).copied();
        outcome
            .figures
            .extend(found(PER_SECOND).map(|it| (figure, it)));
        let before = outcome.figures.get(MEMORY_MB).copied();
        let peak = found(MEMORY_MB).into_iter().chain(before);
        let peak = peak.max_by(f64::total_cmp);
        outcome.figures.extend(peak.map(|it| (MEMORY_MB, it)));
        outcome.faults.extend(measured.faults);
    }
    outcome.notes.dedup();
    Ok(outcome)
}
