//! Checks of the GPU. Pure.

use super::List;
use crate::config::settings::{Auto, Settings};
use crate::planner::Inputs;
use crate::state::{Gpu, Severity, Status};

pub(super) fn gpu(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let id = "gpu.device";
    let observed = &inputs.snapshot.gpu;
    let Some(gpu) = observed.fresh() else {
        return list.unknown(id, Severity::Warning, observed);
    };
    let (found, reason, text) = match gpu {
        Gpu::Devices { names, driver } => (true, "Good", format!("{} with driver {driver}", names.join(", "))),
        Gpu::NoDriver => (false, "NoDriver", "the NVIDIA library is there, the driver is not loaded".to_owned()),
        Gpu::NoLibrary => (false, "NoLibrary", "there is no NVIDIA library, so no NVIDIA GPU is used".to_owned()),
        Gpu::NoDevice => (false, "NoDevice", "the NVIDIA driver is loaded and lists no GPU".to_owned()),
        Gpu::Failed(error) => (false, "Failed", format!("NVML: {error}")),
    };
    match settings.auto("deployment.gpu_support") {
        Auto::Yes if !found => {
            let advice = "install the driver (ubuntu-drivers install), or set deployment.gpu_support = false";
            list.add(id, Severity::Warning, Status::False, reason, format!("deployment.gpu_support is true, but {text}"), advice);
        }
        Auto::No if found => {
            list.add(
                id,
                Severity::Info,
                Status::True,
                "NotUsed",
                format!("deployment.gpu_support is false, though there is {text}"),
                "",
            );
        }
        _ => list.add(id, Severity::Info, Status::True, reason, text, ""),
    }
}

/// What disagrees about the GPUs: it fails later, when a container is started again.
pub(super) fn host(inputs: &Inputs<'_>, list: &mut List) {
    let observed = &inputs.snapshot.gpu_host;
    let Some(host) = observed.fresh() else {
        return list.unknown("gpu.driver", Severity::Warning, observed);
    };
    if let (Some(driver), Some(library)) = (&host.driver, &host.library) {
        let id = "gpu.driver";
        if driver == library {
            list.good(id, Severity::Warning, format!("driver and library are both of version {driver}"));
        } else {
            let message = format!(
                "the driver that is loaded is {driver}, the library that is installed {library}: what uses a GPU runs on until it is started again, and fails then"
            );
            let advice = "in a maintenance window: reboot, or end what uses the GPU and load the driver anew";
            list.add(id, Severity::Warning, Status::False, "VersionMismatch", message, advice);
        }
    }
    if host.devices.is_empty() {
        return;
    }
    let id = "gpu.count";
    let listed = match inputs.snapshot.gpu.fresh() {
        Some(Gpu::Devices { names, .. }) => names.len(),
        Some(Gpu::NoDevice) => 0,
        // What is the matter with NVML, gpu.device says.
        _ => return,
    };
    if listed == host.devices.len() {
        return list.good(id, Severity::Warning, format!("all GPUs on the PCI bus are driven: {listed}"));
    }
    let message = format!("{} on the PCI bus ({}), and NVML lists {listed}", host.devices.len(), host.devices.join(", "));
    let advice = "journalctl -k -g NVRM tells why; a GPU that fell off the bus comes back with a reboot";
    list.add(id, Severity::Warning, Status::False, "NotAllDriven", message, advice);
}

/// Does the node give its GPUs to pods? Before the first deployment it need not: that enables it.
pub(super) fn allocatable(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let installed = inputs.ledger.deployed.as_ref().is_some_and(|deployed| deployed.installed);
    let wanted = installed && settings.auto("deployment.gpu_support") != Auto::No;
    let Some(Gpu::Devices { names, .. }) = inputs.snapshot.gpu.fresh().filter(|_| wanted && inputs.ledger.job.is_none()) else {
        return;
    };
    let (id, severity) = ("gpu.allocatable", Severity::Warning);
    let Some(node) = inputs.node() else { return list.unknown(id, severity, &inputs.snapshot.cluster) };
    let (given, of) = (node.gpus, names.len());
    // Shared in time, or cut into parts, there are more.
    if usize::try_from(given).is_ok_and(|given| given >= of) {
        return list.good(id, severity, format!("the node gives {given} to pods (nvidia.com/gpu)"));
    }
    let message = format!("the node gives {given} of {of} GPUs to pods (nvidia.com/gpu)");
    let advice = "microk8s kubectl get pods -A | grep nvidia: the device plugin gives them; started again it looks anew";
    list.add(id, severity, Status::False, "NotGiven", message, advice);
}
