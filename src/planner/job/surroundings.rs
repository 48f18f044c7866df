//! What a deployment needs of the cluster around its releases: a name that resolves to
//! its login proxy, the node's label, and that nothing stands in the chart's place. Pure.

use super::act;
use crate::ledger::{Cause, Job, Prepared};
use crate::planner::{Inputs, Plan, Step};

/// What must be done before helm installs; `None`: everything is as it should be.
pub(super) fn next(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    if let Some(node) = inputs.node().filter(|node| node.role.is_none() && !job.labelled) {
        return Some(act(job, "labelling the node", Step::LabelNode { node: node.name.clone() }));
    }
    let cluster = inputs.snapshot.cluster.fresh()?;
    let arranged = |step: &str| job.arranged.contains(step);
    let brings = !arranged("remove-registry-hosting") && job.prepared.as_ref().is_some_and(|prepared| prepared.registry_hosting);
    if let Some(found) = cluster.registry_hosting.as_ref().filter(|found| brings && found.release.is_none()) {
        let summary = "removing kube-public/local-registry-hosting, which the chart brings";
        return Some(act(job, summary, Step::RemoveRegistryHosting { uid: found.uid.clone() }));
    }
    let dns = cluster.dns.as_ref().filter(|_| !arranged("configure-dns"))?;
    let wanted = wanted(job)?;
    let rewritten = rewrite(&dns.corefile, &wanted).ok()?;
    (rewritten.is_some() || dns.restart_due).then(|| {
        let summary = format!("having CoreDNS resolve {} to the platform", wanted.domain);
        act(job, summary, Step::ConfigureDns { corefile: rewritten.unwrap_or_else(|| dns.corefile.clone()) })
    })
}

/// What stands in the way and is somebody else's, before anything is touched.
pub(super) fn refused(inputs: &Inputs<'_>, job: &Job, prepared: &Prepared) -> Option<Plan> {
    let cluster = inputs.snapshot.cluster.fresh()?;
    let root = (job.settings.helm_namespace(), job.settings.release_name().to_owned());
    if let Some(owner) = cluster.registry_hosting.as_ref().and_then(|found| found.release.as_ref())
        && prepared.registry_hosting
        && *owner != root
    {
        let message = format!(
            "the chart brings kube-public/local-registry-hosting, which is of the release {}/{}; helm would refuse it",
            owner.0, owner.1
        );
        return Some(act(job, message.clone(), Step::fail("RegistryHostingOwned", message, Cause::Configuration)));
    }
    let fault = rewrite(&cluster.dns.as_ref()?.corefile, &wanted(job)?).err()?;
    let message = format!("the Corefile in kube-system/coredns cannot be changed: {fault}");
    Some(act(job, message.clone(), Step::fail("CorefileNotUnderstood", message, Cause::Configuration)))
}

/// What the cluster's own DNS is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rewrite {
    domain: String,
    target: String,
}

/// An address needs no name.
fn wanted(job: &Job) -> Option<Rewrite> {
    let domain = job.settings.text("platform.domain");
    let name = domain.parse::<std::net::IpAddr>().is_err();
    name.then(|| Rewrite {
        domain: domain.trim_end_matches('.').to_owned(),
        target: format!("oauth2-proxy-service.{}.svc.cluster.local.", job.settings.namespace("admin")),
    })
}

/// The Corefile with the rewrite before its first `kubernetes` line, and without the one of
/// a domain of before; everything else stays as it is. `None`: it is so already.
fn rewrite(corefile: &str, wanted: &Rewrite) -> Result<Option<String>, &'static str> {
    let name = format!("{}.", wanted.domain);
    let ours = ["rewrite", "name", "exact", &name, &wanted.target];
    // With the name of before, or moved by somebody: the target tells it.
    let of_ours = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words.as_slice(), ["rewrite", "name", "exact", _, target] if *target == wanted.target)
    };
    let is_ours = |line: &str| line.split_whitespace().eq(ours);
    let is_kubernetes = |line: &str| line.split_whitespace().next() == Some("kubernetes");
    if !corefile.lines().any(is_kubernetes) {
        return Err("it has no line that begins with \"kubernetes\"");
    }
    let before = corefile.lines().take_while(|line| !is_kubernetes(line));
    if before.clone().any(is_ours) && corefile.lines().filter(|line| of_ours(line)).count() == 1 {
        return Ok(None);
    }
    let mut text = String::with_capacity(corefile.len() + 128);
    let mut done = false;
    for line in corefile.split_inclusive('\n').filter(|line| !of_ours(line)) {
        if !done && is_kubernetes(line) {
            let indent: String = line.chars().take_while(|character| character.is_whitespace()).collect();
            text += &format!("{indent}{}\n", ours.join(" "));
            done = true;
        }
        text += line;
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COREFILE: &str =
        ".:53 {\n    errors\n    kubernetes cluster.local {\n      pods insecure\n    }\n    forward . 8.8.8.8\n}\n";

    fn to(domain: &str) -> Rewrite {
        Rewrite { domain: domain.into(), target: "oauth2-proxy-service.admin.svc.cluster.local.".into() }
    }

    #[test]
    fn the_rewrite_comes_before_kubernetes_and_the_rest_stays() {
        let first = rewrite(COREFILE, &to("a.example.org")).unwrap().unwrap();
        let line = "    rewrite name exact a.example.org. oauth2-proxy-service.admin.svc.cluster.local.\n";
        assert_eq!(first, COREFILE.replace("    kubernetes", &format!("{line}    kubernetes")));
        assert_eq!(rewrite(&first, &to("a.example.org")), Ok(None), "kept");
        let second = rewrite(&first, &to("b.example.org")).unwrap().unwrap();
        assert_eq!(second, first.replace("a.example.org", "b.example.org"), "changed with the domain");
    }

    #[test]
    fn what_others_wrote_stays_and_a_line_behind_is_moved() {
        let other =
            COREFILE.replace("    errors\n", "    rewrite name exact x.org. y.default.svc.cluster.local.\n\n    # mine\n");
        let text = rewrite(&other, &to("a.org")).unwrap().unwrap();
        assert!(text.contains("rewrite name exact x.org. y.default.svc.cluster.local.\n\n    # mine\n"), "{text}");
        let behind = COREFILE
            .replace("    forward", "\trewrite  name exact a.org. oauth2-proxy-service.admin.svc.cluster.local.\n    forward");
        let moved = rewrite(&behind, &to("a.org")).unwrap().unwrap();
        assert_eq!(moved, rewrite(COREFILE, &to("a.org")).unwrap().unwrap());
        assert!(rewrite(".:53 {\n forward . 8.8.8.8\n}\n", &to("a.org")).is_err());
        let no_end = COREFILE.trim_end();
        assert!(rewrite(no_end, &to("a.org")).unwrap().unwrap().ends_with("\n}"), "no line end is added");
    }

    proptest::proptest! {
        #[test]
        fn once_is_enough_and_only_own_lines_come_and_go(
            lines in proptest::collection::vec("[ a-z.{}#]{0,20}", 0..20), at in 0_usize..20
        ) {
            let mut lines = lines;
            lines.insert(at.min(lines.len()), "  kubernetes cluster.local".into());
            let text = lines.join("\n");
            let once = rewrite(&text, &to("a.org")).unwrap().unwrap();
            proptest::prop_assert_eq!(rewrite(&once, &to("a.org")), Ok(None));
            let rest: Vec<&str> = once.lines().filter(|line| !line.contains("oauth2-proxy-service")).collect();
            proptest::prop_assert_eq!(rest, text.lines().collect::<Vec<_>>());
        }
    }
}
