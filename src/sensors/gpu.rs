//! The GPU, by NVML. No library, no driver and no GPU are states, not errors. Besides, what
//! the machine says without NVML: the PCI bus, the driver that is loaded, the library that is
//! installed. These differ before anything fails.
//!
//! NVML may hang in the driver, so it is asked on a thread of its own, one at a
//! time; while an answer is outstanding no second question is put.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::{Observation, Observations, patience};
use crate::paths::Paths;
use crate::state::{Gpu, GpuHost, Observed};

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(60);

/// How long an answer may take before it is called missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, observations: Observations) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut outstanding = None;
    let mut looking = None;
    loop {
        ticks.tick().await;
        let of = Arc::clone(&paths);
        let host = patience::ask(&mut looking, PATIENCE, move || look_at_host(&of)).await;
        let host = host.map_or_else(|reason| Observed::Unknown { reason }, Observed::Fresh);
        if observations.send(Observation::GpuHost(host)).await.is_err() {
            return;
        }
        let seen = match patience::ask(&mut outstanding, PATIENCE, look).await {
            Ok(gpu) => Observed::Fresh(gpu),
            Err(reason) => Observed::Unknown { reason: format!("NVML: {reason}") },
        };
        if observations.send(Observation::Gpu(seen)).await.is_err() {
            return;
        }
    }
}

/// NVIDIA's number among the vendors of PCI devices.
const VENDOR: &str = "0x10de";

/// What sysfs and the folders of libraries say. Neither waits for the driver.
#[must_use]
pub fn look_at_host(paths: &Paths) -> GpuHost {
    let text = |path: PathBuf| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let bus = std::fs::read_dir(paths.sysfs.join("bus/pci/devices")).into_iter().flatten().flatten();
    // Display controllers; a GPU's audio device and its bridges have other classes.
    let is_gpu = |device: &PathBuf| {
        text(device.join("vendor")).as_deref() == Some(VENDOR)
            && text(device.join("class")).is_some_and(|class| class.starts_with("0x03"))
    };
    let mut devices: Vec<String> = bus
        .map(|entry| entry.path())
        .filter(is_gpu)
        .filter_map(|device| Some(device.file_name()?.to_string_lossy().into_owned()))
        .collect();
    devices.sort();
    GpuHost { devices, driver: text(paths.sysfs.join("module/nvidia/version")), library: library_version(&paths.libraries) }
}

/// The version in the name of the file that the library's link leads to.
fn library_version(folders: &[PathBuf]) -> Option<String> {
    let of = |folder: &PathBuf| {
        let real = std::fs::canonicalize(folder.join("libnvidia-ml.so.1")).ok()?;
        let version = real.file_name()?.to_str()?.strip_prefix("libnvidia-ml.so.")?.to_owned();
        // Without a second number it is the name of the interface.
        version.contains('.').then_some(version)
    };
    folders.iter().find_map(of)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_of_its_gpus_without_nvml() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        assert_eq!(look_at_host(&paths), GpuHost::default());
        for (address, vendor, class) in [
            ("0000:01:00.0", "0x10de", "0x030200"),
            ("0000:01:00.1", "0x10de", "0x040300"),
            ("0000:00:02.0", "0x8086", "0x030000"),
        ] {
            let device = paths.sysfs.join("bus/pci/devices").join(address);
            std::fs::create_dir_all(&device).unwrap();
            std::fs::write(device.join("vendor"), format!("{vendor}\n")).unwrap();
            std::fs::write(device.join("class"), format!("{class}\n")).unwrap();
        }
        std::fs::create_dir_all(paths.sysfs.join("module/nvidia")).unwrap();
        std::fs::write(paths.sysfs.join("module/nvidia/version"), "570.86.15\n").unwrap();
        let folder = &paths.libraries[0];
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("libnvidia-ml.so.575.51.03"), "").unwrap();
        std::os::unix::fs::symlink("libnvidia-ml.so.575.51.03", folder.join("libnvidia-ml.so.1")).unwrap();
        let seen = look_at_host(&paths);
        assert_eq!(seen.devices, ["0000:01:00.0"]);
        assert_eq!((seen.driver.as_deref(), seen.library.as_deref()), (Some("570.86.15"), Some("575.51.03")));
    }
}
