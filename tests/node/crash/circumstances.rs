//! What must be so on the node that a point is passed at all, and what lets the job go on
//! afterwards.

use std::collections::BTreeMap;

use super::super::careless::Careless;
use super::super::harness::{DEPLOYMENT, Node, start_workflow};
use super::Point;

const KUBECTL: &str = "/snap/bin/microk8s.kubectl";

/// A short limit, so that hooks that hang are given up soon.
pub const LIMITS: &str = "helm_timeout = \"25s\"\n";

/// What is around an act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Circumstance {
    /// Nothing.
    None,
    /// Somebody's workflow runs when the platform is to be taken down.
    Workflow,
    /// An extension's claim would go, with its data.
    Claim,
    /// The hooks of what is taken down hang.
    Hooks,
    /// A pod of the platform does not go.
    Pod,
}

impl Circumstance {
    /// Without what is this point not passed?
    pub fn of(point: Option<&Point>) -> Self {
        let has = |word: &str| point.is_some_and(|point| point.2.contains(word));
        match () {
            () if has("note-waiting") || has("waiting for") => Self::Workflow,
            () if has("retain-volumes") => Self::Claim,
            () if has("skip-hooks") || has("delete-hooks") => Self::Hooks,
            () if has("waiting until they are gone") => Self::Pod,
            () => Self::None,
        }
    }

    /// Before the act begins. Hooks that hang come with the platform itself.
    pub fn arrange(self, node: &Node) {
        match self {
            Self::None | Self::Hooks => {}
            Self::Workflow => {
                start_workflow(node, "segmentation-1");
                node.wait("the workflow is seen", DEPLOYMENT, |p| p.running.as_ref().is_some_and(|r| !r.workflows.is_empty()));
            }
            Self::Claim => drop(Careless::install(node)),
            Self::Pod => drop(node.ok(&finalizers("[\"test.kaapana.example/hold\"]"))),
        }
    }

    /// After the agent was killed.
    pub fn let_go(self, node: &Node, point: &Point) {
        match self {
            Self::None | Self::Claim | Self::Hooks => {}
            Self::Workflow => {
                node.wait("the workflow is waited for", DEPLOYMENT, |p| {
                    let killed = point.1 > 1 || !node.path("/run/kaapana-agent/point").exists();
                    killed && p.job.as_ref().is_some_and(|job| job.step.contains("waiting for 1 workflow pod"))
                });
                node.ok(&format!("{KUBECTL} delete pod -n project-admin segmentation-1 --grace-period=1"));
            }
            Self::Pod => drop(node.ok(&finalizers("null"))),
        }
    }

    /// What helm is to do, with what is there in addition.
    pub fn wanted(self, mut wanted: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
        if self == Self::Claim {
            wanted.insert("uninstall careless".into(), 1);
        }
        wanted
    }

    /// After the act.
    pub fn has_ended_well(self, node: &Node) {
        if self == Self::Claim {
            Careless::is_kept(node);
        }
    }
}

/// Of the pods of one workload.
fn finalizers(list: &str) -> String {
    format!(
        "for pod in $({KUBECTL} get pods -n services -o name | grep minio); do \
         {KUBECTL} patch -n services $pod --type merge -p '{{\"metadata\":{{\"finalizers\":{list}}}}}'; done"
    )
}
