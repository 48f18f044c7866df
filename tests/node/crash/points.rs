//! The points, and which of them a run takes.

/// What is done to the platform, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Act {
    Deploy,
    Redeploy,
    Undeploy,
    /// A redeployment whose platform fails, and the way back.
    Failing,
}

/// Where the agent is killed: the how many-th passing of a point since it started, or
/// `0 running VERB`: while that helm stands at its gate; `0 waiting WORDS`: while the
/// job says that it waits for this; or `0 following`: while the platform gets healthy.
pub type Point = (Act, u32, &'static str);

pub const KILLS: &[Point] = &[
    (Act::Deploy, 1, "before start-job"),
    (Act::Deploy, 1, "after start-job"),
    (Act::Deploy, 1, "acting prepare"),
    (Act::Deploy, 1, "acted prepare"),
    (Act::Deploy, 1, "before advance"),
    (Act::Deploy, 2, "after advance"),
    (Act::Deploy, 1, "after begin-take-down"),
    (Act::Deploy, 1, "acting label-node"),
    (Act::Deploy, 1, "acted label-node"),
    (Act::Deploy, 1, "acting configure-dns"),
    (Act::Deploy, 1, "between configure-dns"),
    (Act::Deploy, 1, "acted configure-dns"),
    (Act::Deploy, 1, "acting remove-registry-hosting"),
    (Act::Deploy, 1, "acted remove-registry-hosting"),
    (Act::Deploy, 1, "before install"),
    (Act::Deploy, 1, "after install"),
    (Act::Deploy, 1, "acting install"),
    (Act::Deploy, 1, "acted install"),
    (Act::Deploy, 0, "running install"),
    (Act::Deploy, 1, "before close-step"),
    (Act::Deploy, 1, "after close-step"),
    (Act::Deploy, 1, "acted close-step"),
    (Act::Deploy, 0, "following"),
    (Act::Deploy, 1, "before note-healthy"),
    (Act::Deploy, 1, "before finish-job"),
    (Act::Deploy, 1, "after finish-job"),
    (Act::Deploy, 1, "acting mark-disk"),
    (Act::Deploy, 2, "acted mark-disk"),
    (Act::Deploy, 3, "written ledger"),
    (Act::Deploy, 4, "kept ledger"),
    (Act::Deploy, 5, "renamed ledger"),
    (Act::Redeploy, 1, "acted prepare"),
    (Act::Redeploy, 1, "acting run-site-program"),
    (Act::Redeploy, 1, "acted run-site-program"),
    (Act::Redeploy, 0, "running before"),
    (Act::Redeploy, 1, "before note-waiting"),
    (Act::Redeploy, 1, "after note-waiting"),
    (Act::Redeploy, 0, "waiting for 1 workflow pod"),
    (Act::Redeploy, 2, "after note-waiting"),
    (Act::Redeploy, 1, "after note-page"),
    (Act::Redeploy, 1, "before begin-take-down"),
    (Act::Redeploy, 1, "after begin-take-down"),
    (Act::Redeploy, 1, "before uninstall"),
    (Act::Redeploy, 1, "acting uninstall"),
    (Act::Redeploy, 1, "acted uninstall"),
    (Act::Redeploy, 0, "running uninstall"),
    (Act::Redeploy, 3, "after close-step"),
    (Act::Redeploy, 6, "after uninstall"),
    (Act::Redeploy, 2, "before advance"),
    (Act::Redeploy, 2, "after advance"),
    (Act::Redeploy, 1, "before install"),
    (Act::Redeploy, 0, "running install"),
    (Act::Redeploy, 0, "following"),
    (Act::Redeploy, 1, "after finish-job"),
    (Act::Redeploy, 9, "kept ledger"),
    (Act::Redeploy, 1, "before skip-hooks"),
    (Act::Redeploy, 1, "after skip-hooks"),
    (Act::Redeploy, 1, "acting delete-hooks"),
    (Act::Redeploy, 1, "acted delete-hooks"),
    (Act::Undeploy, 1, "accepted undeploy"),
    (Act::Undeploy, 0, "running before"),
    (Act::Undeploy, 1, "before advance"),
    (Act::Undeploy, 1, "after begin-take-down"),
    (Act::Undeploy, 2, "acting uninstall"),
    (Act::Undeploy, 0, "running uninstall"),
    (Act::Undeploy, 1, "acting retain-volumes"),
    (Act::Undeploy, 1, "acted retain-volumes"),
    (Act::Undeploy, 4, "before close-step"),
    (Act::Undeploy, 6, "acted uninstall"),
    (Act::Undeploy, 0, "waiting until they are gone"),
    (Act::Undeploy, 1, "before finish-job"),
    (Act::Undeploy, 1, "after finish-job"),
    (Act::Undeploy, 5, "written ledger"),
];

/// While a failed deployment is noticed and the last good one is put back.
pub const WAY_BACK_KILLS: &[Point] = &[
    (Act::Failing, 1, "before note-failing"),
    (Act::Failing, 1, "after note-failing"),
    (Act::Failing, 1, "before turn-back"),
    (Act::Failing, 1, "after turn-back"),
    (Act::Failing, 2, "after begin-take-down"),
    (Act::Failing, 7, "acting uninstall"),
    (Act::Failing, 2, "before install"),
    (Act::Failing, 2, "acted install"),
    (Act::Failing, 1, "before finish-job"),
    (Act::Failing, 1, "after finish-job"),
];

pub const NODE_KILLS: &[Point] = &[
    (Act::Deploy, 1, "acting prepare"),
    (Act::Deploy, 0, "running install"),
    (Act::Deploy, 1, "acted install"),
    (Act::Deploy, 1, "before finish-job"),
    (Act::Redeploy, 1, "after begin-take-down"),
    (Act::Redeploy, 0, "running uninstall"),
    (Act::Redeploy, 6, "acted uninstall"),
    (Act::Redeploy, 1, "before install"),
    (Act::Redeploy, 0, "running install"),
    (Act::Undeploy, 2, "acting uninstall"),
];

/// Of all points, those of this commit: one for each act and life; or all of them, or
/// those with a word in their name, as `KAAPANA_CRASHES` says.
pub fn chosen(all: &[Point], lives: usize) -> Vec<Vec<Point>> {
    let wanted = std::env::var("KAAPANA_CRASHES").unwrap_or_default();
    let commit = std::env::var("KAAPANA_COMMIT").unwrap_or_default();
    choose(all, lives, &wanted, &commit)
}

fn choose(all: &[Point], lives: usize, wanted: &str, commit: &str) -> Vec<Vec<Point>> {
    let of = |act: Act| {
        let named = |point: &&Point| ["", "all"].contains(&wanted) || point.2.contains(wanted);
        all.iter().filter(|point| point.0 == act).filter(named).copied().collect::<Vec<_>>()
    };
    let acts = [of(Act::Deploy), of(Act::Redeploy), of(Act::Undeploy), of(Act::Failing)];
    let lives = if wanted.is_empty() { lives } else { acts.iter().map(Vec::len).max().unwrap_or_default() };
    let start = usize::from_str_radix(commit.get(..6).unwrap_or("0"), 16).unwrap_or_default();
    (0..lives)
        .map(|life| {
            let at = |points: &Vec<Point>| {
                let number = if wanted.is_empty() { (start + life * points.len() / lives) % points.len() } else { life };
                points.get(number).copied()
            };
            acts.iter().filter(|points| !points.is_empty()).filter_map(at).collect()
        })
        .collect()
}

#[test]
fn each_commit_takes_its_points_and_all_are_taken_by_all() {
    let taken = |all, lives, wanted, commit| choose(all, lives, wanted, commit).concat();
    assert_eq!(taken(KILLS, 2, "", "000001").len(), 6);
    assert_eq!(taken(NODE_KILLS, 1, "", "000001").iter().filter(|point| point.0 != Act::Undeploy).count(), 2);
    assert!(taken(WAY_BACK_KILLS, 0, "", "000001").is_empty(), "make test-all takes them");
    assert_ne!(taken(KILLS, 2, "", "000001"), taken(KILLS, 2, "", "000002"));
    for all in [KILLS, NODE_KILLS, WAY_BACK_KILLS] {
        let (mut taken, mut wanted) = (taken(all, 1, "all", ""), all.to_vec());
        taken.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(taken, wanted, "each once");
    }
}
