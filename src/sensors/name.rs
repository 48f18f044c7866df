//! Does the name of the platform lead somewhere, as this machine sees it?

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;

use super::{Observation, Observations, patience};
use crate::state::{Observed, Resolved};

/// How often it is asked while it leads somewhere.
const PERIOD: Duration = Duration::from_secs(600);

/// How often while it does not.
const PERIOD_FAILED: Duration = Duration::from_secs(60);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks for the name while there is one, until the receiver is gone.
pub async fn run(mut wanted: watch::Receiver<Option<String>>, observations: Observations) {
    let mut outstanding = None;
    loop {
        let name = wanted.borrow_and_update().clone();
        let (seen, period) = match name {
            None => (Observed::Unknown { reason: "no name is configured".into() }, PERIOD),
            Some(name) => {
                let of = name.clone();
                // The resolver of the system, as every program of this machine has it.
                let answer = patience::ask(&mut outstanding, PATIENCE, move || (resolve(&of), of)).await;
                // A late answer may be that for the name of before.
                if answer.as_ref().is_ok_and(|(_, asked)| *asked != name) {
                    continue;
                }
                let addresses = answer.and_then(|(addresses, _)| addresses);
                let period = if addresses.is_ok() { PERIOD } else { PERIOD_FAILED };
                (Observed::Fresh(Resolved { name, addresses }), period)
            }
        };
        if observations.send(Observation::Name(seen)).await.is_err() {
            return;
        }
        if tokio::time::timeout(period, wanted.changed()).await.unwrap_or(Ok(())).is_err() {
            return;
        }
    }
}

fn resolve(name: &str) -> Result<BTreeSet<IpAddr>, String> {
    use std::net::ToSocketAddrs as _;
    (name, 0).to_socket_addrs().map(|all| all.map(|one| one.ip()).collect()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_addresses_or_says_why_not() {
        assert!(resolve("localhost").unwrap().iter().all(IpAddr::is_loopback));
        // No resolver is asked for a name with an empty label (RFC 1035, 3.1).
        assert!(!resolve("kaapana..example").unwrap_err().is_empty());
    }
}
