//! The GPU, by NVML. No library, no driver and no GPU are states, not errors.
//!
//! NVML may hang in the driver, so it is asked on a thread of its own, one at a
//! time; while an answer is outstanding no second question is put.

use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::{Observation, Observations, patience};
use crate::state::{Gpu, Observed};

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(60);

/// How long an answer may take before it is called missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks until the receiver is gone.
pub async fn run(observations: Observations) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut outstanding = None;
    loop {
        ticks.tick().await;
        let seen = match patience::ask(&mut outstanding, PATIENCE, look).await {
            Ok(gpu) => Observed::Fresh(gpu),
            Err(reason) => Observed::Unknown { reason: format!("NVML: {reason}") },
        };
        if observations.send(Observation::Gpu(seen)).await.is_err() {
            return;
        }
    }
}

/// One look. Without a library nothing stays loaded.
#[must_use]
pub fn look() -> Gpu {
    let nvml = match init() {
        Ok(nvml) => nvml,
        Err(error) => return absent(&error),
    };
    let names: Result<Vec<String>, NvmlError> =
        nvml.device_count().and_then(|count| (0..count).map(|index| nvml.device_by_index(index)?.name()).collect());
    match (names, nvml.sys_driver_version()) {
        (Ok(names), _) if names.is_empty() => Gpu::NoDevice,
        (Ok(names), Ok(driver)) => Gpu::Devices { names, driver },
        (Err(error), _) | (_, Err(error)) => absent(&error),
    }
}

/// Distributions install the library as `.so.1`; the plain name is of their
/// development packages.
fn init() -> Result<Nvml, NvmlError> {
    match Nvml::builder().lib_path(std::ffi::OsStr::new("libnvidia-ml.so.1")).init() {
        Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound) => Nvml::init(),
        other => other,
    }
}

fn absent(error: &NvmlError) -> Gpu {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => Gpu::NoLibrary,
        NvmlError::DriverNotLoaded => Gpu::NoDriver,
        other => Gpu::Failed(other.to_string()),
    }
}
