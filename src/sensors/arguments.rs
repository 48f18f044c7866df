//! What MicroK8s' API server is told to do: a file of arguments, as the snap's services
//! read it. It counts once the server was started again, so when it was changed is told, too.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::patience::look_by_period;
use super::{Observation, Observations};
use crate::paths::Paths;
use crate::state::{ApiArguments, Observed};

/// How often it looks. The file is reached by a link that a refresh of the snap moves, so it
/// is looked at and not watched.
pub const PERIOD: Duration = Duration::from_secs(15);

/// Node ports of an API server that is not told otherwise (Kubernetes' default).
const DEFAULT_NODE_PORTS: (u16, u16) = (30000, 32767);

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, observations: Observations) {
    look_by_period(PERIOD, observations, Observation::Arguments, move || look(&paths.api_arguments)).await;
}

/// One look.
#[must_use]
pub fn look(file: &Path) -> Observed<ApiArguments> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let changed = std::fs::metadata(file).and_then(|file| file.modified());
            Observed::Fresh(ApiArguments { changed: changed.ok().and_then(|at| Timestamp::try_from(at).ok()), ..parse(&text) })
        }
        Err(error) => Observed::Unknown { reason: format!("{}: {error}", file.display()) },
    }
}

/// Reads a file of arguments: one in a line, `--name=value` or `--name value`, with or without
/// quotes; the last of equal names counts, as it does for the server.
#[must_use]
pub fn parse(text: &str) -> ApiArguments {
    let value = |wanted: &str| {
        let of = |line: &str| {
            let (name, value) = line.trim().split_once(['=', ' '])?;
            (name == wanted).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
        };
        text.lines().filter_map(of).next_back()
    };
    let range = |range: String| {
        // Kubernetes' PortRange: `first-last`, `first+more` or one port.
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let (first, last) = match (range.split_once('-'), range.split_once('+')) {
            (Some((first, last)), _) => (number(first)?, number(last)?),
            (None, Some((first, more))) => (number(first)?, number(first)?.checked_add(number(more)?)?),
            (None, None) => (number(&range)?, number(&range)?),
        };
        (first <= last).then_some((first, last))
    };
    ApiArguments {
        changed: None,
        node_ports: value("--service-node-port-range").map_or(Some(DEFAULT_NODE_PORTS), range),
        advertise_address: value("--advertise-address").filter(|address| !address.is_empty()),
        authorization: value("--authorization-mode")
            .map(|modes| modes.split(',').map(|mode| mode.trim().to_owned()).collect())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_the_snap_writes_them() {
        let ports = |line: &str| parse(line).node_ports;
        assert_eq!(ports(""), Some((30000, 32767)));
        assert_eq!(ports("--service-node-port-range=80-32000"), Some((80, 32000)));
        assert_eq!(ports("--service-node-port-range 80-32000\n"), Some((80, 32000)));
        assert_eq!(ports("--service-node-port-range=1-2\n  --service-node-port-range=\"80-443\""), Some((80, 443)));
        assert_eq!(ports("#--service-node-port-range=1-2"), Some((30000, 32767)));
        assert_eq!(ports("--service-node-port-range=80+20"), Some((80, 100)));
        assert_eq!(ports("--service-node-port-range=443"), Some((443, 443)));
        for broken in ["80-", "-80", "443-80", "80-70000", "x", "65535+1", ""] {
            assert_eq!(ports(&format!("--service-node-port-range={broken}")), None, "{broken}");
        }
        let all = parse("--authorization-mode=RBAC, Node\n--advertise-address=10.0.0.5\n");
        assert_eq!(all.authorization, ["RBAC", "Node"]);
        assert_eq!(all.advertise_address.as_deref(), Some("10.0.0.5"));
    }

    proptest::proptest! {
        #[test]
        fn no_file_of_arguments_panics(text in "[\\PC\\n=, -]{0,300}") {
            drop(parse(&text));
            drop(parse(&format!("--service-node-port-range={text}")));
        }
    }
}
