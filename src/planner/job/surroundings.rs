//! What a deployment needs of the cluster around its releases: a name that resolves to
//! its login proxy, the node's label, and that nothing stands in the chart's place. Pure.

use super::act;
use super::take_down::present;
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
    let wanted = wanted(inputs, job)?;
    let rewritten = rewrite(&dns.corefile, &wanted).ok()?;
    (rewritten.is_some() || dns.restart_due).then(|| {
        let summary = format!("having CoreDNS resolve {} to the platform", wanted.domain);
        let corefile = rewritten.unwrap_or_else(|| dns.corefile.clone());
        act(job, summary, Step::ConfigureDns { corefile, version: dns.version.clone() })
    })
}

/// What stands in the way and is somebody else's, before anything is touched.
pub(super) fn refused(inputs: &Inputs<'_>, job: &Job, prepared: &Prepared) -> Option<Plan> {
    let cluster = inputs.snapshot.cluster.fresh()?;
    let root = (job.settings.helm_namespace(), job.settings.release_name().to_owned());
    let goes = |owner: &(String, String)| {
        present(inputs, cluster).iter().any(|release| (&release.namespace, &release.name) == (&owner.0, &owner.1))
    };
    if let Some(owner) = cluster.registry_hosting.as_ref().and_then(|found| found.release.as_ref())
        && prepared.registry_hosting
        && *owner != root
        && !goes(owner)
    {
        let message = format!(
            "the chart brings kube-public/local-registry-hosting, which is of the release {}/{}; helm would refuse it",
            owner.0, owner.1
        );
        return Some(act(job, message.clone(), Step::fail("RegistryHostingOwned", message, Cause::Surroundings)));
    }
    let fault = rewrite(&cluster.dns.as_ref()?.corefile, &wanted(inputs, job)?).err()?;
    let message = format!("the Corefile in kube-system/coredns cannot be changed: {fault}");
    Some(act(job, message.clone(), Step::fail("CorefileNotUnderstood", message, Cause::Surroundings)))
}

/// What the cluster's own DNS is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rewrite {
    domain: String,
    target: String,
    /// Names of this platform of before; another's name for the same proxy stays.
    before: Vec<String>,
}

/// An address needs no name.
fn wanted(inputs: &Inputs<'_>, job: &Job) -> Option<Rewrite> {
    let domain = job.settings.text("platform.domain").trim_end_matches('.').to_owned();
    let ledger = inputs.ledger;
    let of_others = [&ledger.deployed, &ledger.previous].into_iter().flatten().map(|one| one.ownership.hostname.clone());
    let before = of_others.chain(ledger.resolved.clone()).filter(|known| *known != domain).collect();
    let target = format!("oauth2-proxy-service.{}.svc.cluster.local.", job.settings.namespace("admin"));
    domain.parse::<std::net::IpAddr>().is_err().then_some(Rewrite { domain, target, before })
}

/// The Corefile with the rewrite before its first `kubernetes` line, and without the one of
/// a domain of before; everything else stays as it is. `None`: it is so already.
fn rewrite(corefile: &str, wanted: &Rewrite) -> Result<Option<String>, &'static str> {
    let line_of = |domain: &str| ["rewrite", "name", "exact", &format!("{domain}."), &wanted.target].join(" ");
    let same = |line: &str, other: &str| line.split_whitespace().eq(other.split(' '));
    let ours = line_of(&wanted.domain);
    let before: Vec<String> = wanted.before.iter().map(|domain| line_of(domain)).collect();
    let of_ours = |line: &str| same(line, &ours) || before.iter().any(|other| same(line, other));
    let is_kubernetes = |line: &str| line.split_whitespace().next() == Some("kubernetes");
    let Some(at) = corefile.lines().position(is_kubernetes) else {
        return Err("it has no line that begins with \"kubernetes\"");
    };
    // In a block for some names only it would not answer for this one.
    let head = corefile.lines().take(at).filter(|line| line.trim_end().ends_with('{') && !line.starts_with([' ', '\t'])).last();
    if head.is_some_and(|head| !head.split_whitespace().any(|zone| zone.starts_with('.') || zone.contains("://.:"))) {
        return Err("its first \"kubernetes\" line is in a block that is not for all names (\".\")");
    }
    let known: Vec<usize> = corefile.lines().enumerate().filter(|(_, line)| of_ours(line)).map(|(number, _)| number).collect();
    let first = corefile.lines().enumerate().find(|(_, line)| same(line, &ours)).map(|(number, _)| number);
    if known.len() == 1 && first.is_some_and(|number| number < at) {
        return Ok(None);
    }
    let mut text = String::with_capacity(corefile.len() + 128);
    let mut done = false;
    for line in corefile.split_inclusive('\n').filter(|line| !of_ours(line)) {
        if !done && is_kubernetes(line) {
            let indent: String = line.chars().take_while(|character| character.is_whitespace()).collect();
            text += &format!("{indent}{ours}\n");
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
        Rewrite {
            domain: domain.into(),
            target: "oauth2-proxy-service.admin.svc.cluster.local.".into(),
            before: vec!["a.example.org".into()],
        }
    }

    #[test]
    fn the_rewrite_comes_before_kubernetes_and_the_rest_stays() {
        let first = rewrite(COREFILE, &to("a.example.org")).unwrap().unwrap();
        let line = "    rewrite name exact a.example.org. oauth2-proxy-service.admin.svc.cluster.local.\n";
        assert_eq!(first, COREFILE.replace("    kubernetes", &format!("{line}    kubernetes")));
        assert_eq!(rewrite(&first, &to("a.example.org")), Ok(None), "kept");
        let second = rewrite(&first, &to("b.example.org")).unwrap().unwrap();
        assert_eq!(second, first.replace("a.example.org", "b.example.org"), "changed with the domain");
        let third = rewrite(&second, &to("c.example.org")).unwrap().unwrap();
        assert!(third.contains("exact b.example.org. oauth2"), "a name that is not this platform's stays: {third}");
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
        let apart = "cluster.local:53 {\n    kubernetes cluster.local\n}\n.:53 {\n    forward . 8.8.8.8\n}\n";
        assert!(rewrite(apart, &to("a.org")).unwrap_err().contains("not for all names"));
        assert!(rewrite(&COREFILE.replace(".:53", "dns://.:53 tls://.:853"), &to("a.org")).is_ok());
        let no_end = COREFILE.trim_end();
        assert!(rewrite(no_end, &to("a.org")).unwrap().unwrap().ends_with("\n}"), "no line end is added");
    }

    proptest::proptest! {
        #[test]
        fn once_is_enough_and_only_own_lines_come_and_go(
            lines in proptest::collection::vec(" [ a-z.#]{0,20}", 0..20), at in 0_usize..20
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
