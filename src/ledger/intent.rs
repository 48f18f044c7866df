//! What a deployment is meant to be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::keys::{self, Effect};
use crate::config::settings::Settings;
use crate::state::Chart;

/// What a deployment is meant to be, independent of the machine and of the
/// version of the agent: the chart, and the keys that differ from their default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Where the chart comes from.
    pub chart: String,
    /// Digest of the chart, when it is known.
    pub digest: Option<String>,
    /// Keys of the configuration that redeploy, and `[values]`.
    pub settings: BTreeMap<String, Json>,
}

impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent").field("chart", &self.chart).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Intent {
    /// The intent of these settings with this chart.
    #[must_use]
    pub fn new(settings: &Settings, chart: &Chart) -> Self {
        Self { chart: chart.source(), digest: chart.digest().map(str::to_owned), settings: relevant(settings) }
    }

    /// Is it the same? A digest that is not known on one side does not count: an
    /// archive that was put away redeploys nothing.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.settings == other.settings && self.same_chart(other)
    }

    /// Is it the same chart?
    #[must_use]
    pub fn same_chart(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(a), Some(b)) => a == b,
            // An archive that cannot be read now says nothing.
            (None, Some(_)) if self.chart.ends_with(".tgz") => true,
            _ => self.chart == other.chart,
        }
    }
}

/// The keys an intent is made of: those that are inputs of a deployment and are
/// not at their default, so that a new key of a newer agent changes nothing.
fn relevant(settings: &Settings) -> BTreeMap<String, Json> {
    let mut map: BTreeMap<String, Json> = keys::KEYS
        .iter()
        .filter(|key| matches!(key.effect, Effect::Redeploy | Effect::Identity))
        .filter(|key| !["deployment.chart_path"].contains(&key.path) && !key.path.ends_with("password_file"))
        .filter_map(|key| {
            let value = settings.get(key.path)?.to_json();
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let default = key.default.map(|default| default.trim_matches('"'));
            (default != Some(text.as_str())).then(|| (key.path.to_owned(), value))
        })
        .collect();
    map.extend(settings.extra().iter().map(|(path, value)| (format!("values.{path}"), value.to_json())));
    map
}
