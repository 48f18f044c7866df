//! How snapd keeps MicroK8s, by its REST interface (`GET /v2/snaps/microk8s`,
//! `GET /v2/system-info`): which version it is, and whether it is refreshed by itself, which
//! starts the whole cluster again in the middle of a day.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::{Observation, Observations};
use crate::error::chain;
use crate::paths::Paths;
use crate::state::{Observed, Snap};

/// How often it looks; snapd announces nothing.
pub const PERIOD: Duration = Duration::from_secs(60);

/// How long snapd may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, observations: Observations) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let seen = match tokio::time::timeout(PATIENCE, look(&paths.snapd)).await {
            Ok(Ok(snap)) => Observed::Fresh(snap),
            Ok(Err(reason)) => Observed::Unknown { reason: format!("snapd: {reason}") },
            Err(_) => Observed::Unknown { reason: format!("snapd: no answer for {} s", PATIENCE.as_secs()) },
        };
        if observations.send(Observation::Snap(seen)).await.is_err() {
            return;
        }
    }
}

async fn look(socket: &Path) -> Result<Snap, String> {
    let own = get(socket, "/v2/snaps/microk8s").await?;
    let of_all = get(socket, "/v2/system-info").await?;
    parse(&own, &of_all)
}

/// An answer of snapd's.
#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

#[derive(Deserialize)]
struct Own {
    #[serde(default)]
    version: String,
    #[serde(default, rename = "tracking-channel")]
    tracking: String,
    #[serde(default)]
    hold: Option<Timestamp>,
}

#[derive(Deserialize)]
struct OfAll {
    #[serde(default)]
    refresh: Refresh,
}

#[derive(Deserialize, Default)]
struct Refresh {
    #[serde(default)]
    hold: Option<Timestamp>,
}

/// Reads the answers about the snap itself and about all snaps.
fn parse(own: &[u8], of_all: &[u8]) -> Result<Snap, String> {
    let Answer { result: own } = serde_json::from_slice::<Answer<Own>>(own).map_err(|error| error.to_string())?;
    let Answer { result: of_all } = serde_json::from_slice::<Answer<OfAll>>(of_all).map_err(|error| error.to_string())?;
    Ok(Snap { version: own.version, channel: own.tracking, hold: own.hold.max(of_all.refresh.hold) })
}

async fn get(socket: &Path, path: &str) -> Result<Vec<u8>, String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| format!("{}: {error}", socket.display()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, String>(TokioIo::new(stream)).await.map_err(|error| chain(&error))?;
    let request = http::Request::get(path)
        .header(http::header::HOST, "localhost")
        .body(String::new())
        .map_err(|error| error.to_string())?;
    let asked = async {
        let response = sender.send_request(request).await.map_err(|error| chain(&error))?;
        match response.status() {
            http::StatusCode::OK => {}
            http::StatusCode::NOT_FOUND => return Err("it has no snap microk8s".to_owned()),
            status => return Err(format!("{path}: {status}")),
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|error| error.to_string())?;
        Ok(body.to_bytes().to_vec())
    };
    // The connection is driven beside the question and ends with it.
    tokio::select! {
        answer = asked => answer,
        Err(error) = connection => Err(chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_hold_counts() {
        let own = br#"{"type":"sync","result":{"name":"microk8s","version":"v1.33.1","tracking-channel":"1.33/stable","hold":"2026-12-01T00:00:00Z"}}"#;
        let of_all = br#"{"result":{"series":"16","refresh":{"timer":"00:00~24:00/4","hold":"2315-08-31T12:00:00+02:00"}}}"#;
        let snap = parse(own, of_all).unwrap();
        assert_eq!((snap.version.as_str(), snap.channel.as_str()), ("v1.33.1", "1.33/stable"));
        assert_eq!(snap.hold.unwrap().strftime("%Y").to_string(), "2315");
        assert_eq!(parse(br#"{"result":{}}"#, br#"{"result":{}}"#).unwrap(), Snap::default());
        assert!(parse(b"{}", of_all).is_err() && parse(own, b"nonsense").is_err());
    }

    #[tokio::test]
    async fn without_snapd_nothing_is_known() {
        let error = look(Path::new("/nowhere/snapd.socket")).await.unwrap_err();
        assert!(error.contains("/nowhere/snapd.socket"), "{error}");
    }
}
