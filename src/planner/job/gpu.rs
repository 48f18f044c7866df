//! A cluster that gives GPUs to pods: NVIDIA's GPU operator, brought by MicroK8s' add-on or,
//! offline, from an archive beside the chart. Pure.

use super::act;
use crate::config::derived;
use crate::ledger::{Cause, GPU_OPERATOR as OPERATOR, Job, Prepared};
use crate::planner::{Inputs, Plan, Step};

/// What is to be done before anything is taken down; `None`: GPUs are not wanted, or the
/// cluster gives them already.
pub(super) fn next(inputs: &Inputs<'_>, job: &Job, prepared: &Prepared) -> Option<Plan> {
    let wanted = derived::derived("gpu_support", &job.settings, &prepared.machine) == Some(true.into());
    if !wanted || job.arranged.contains("enable-gpu") {
        return None;
    }
    let cluster = inputs.snapshot.cluster.fresh()?;
    let there = cluster.releases.values().find(|release| release.chart == OPERATOR || release.name == OPERATOR);
    // A try of the agent's own that did not end well is none that a person stands for.
    let own = |release: &&std::sync::Arc<crate::state::Release>| {
        let of = (release.namespace.clone(), release.name.clone());
        release.status != "deployed" && inputs.ledger.unfinished.iter().any(|unfinished| unfinished.release == of)
    };
    if let Some(release) = there.filter(own) {
        let message = format!(
            "the release {}/{} is {}, left by a try that did not end well (microk8s disable nvidia, or helm uninstall it; \
             deployment.gpu_support = false deploys without)",
            release.namespace, release.name, release.status
        );
        return Some(act(job, message.clone(), Step::fail("GpuNotEnabled", message, Cause::Surroundings)));
    }
    // Who brought it in another way knows why.
    if there.is_some() || inputs.node().is_some_and(|node| node.gpus > 0) {
        return None;
    }
    if !job.settings.flag("deployment.offline") {
        return Some(act(job, "enabling the GPU in MicroK8s", Step::EnableGpu { chart: None }));
    }
    if let Some(Err(fault)) = &prepared.gpu_operator {
        return Some(act(job, fault.clone(), Step::fail("ChartInvalid", fault, Cause::Surroundings)));
    }
    let Some(Ok(chart)) = &prepared.gpu_operator else {
        let message = format!(
            "the cluster gives no GPU to pods, and offline {} would bring the GPU operator; it is not there \
             (deployment.gpu_support = false deploys without)",
            job.settings.beside_chart(&format!("{OPERATOR}.tgz")).display()
        );
        return Some(act(job, message.clone(), Step::fail("GpuOperatorMissing", message, Cause::Surroundings)));
    };
    Some(act(job, "installing the GPU operator", Step::EnableGpu { chart: Some(chart.clone()) }))
}
