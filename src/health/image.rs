//! Why an image cannot be pulled, in words. Pure.
//!
//! The kubelet hands on what the container runtime says, which hands on what the registry
//! says: the same cause has many wordings (containerd 1.3 to 2, Docker distribution, Harbor).

/// What the runtime says, and what that means. The first that fits wins.
const CAUSES: &[(&[&str], &str)] = &[
    (&["toomanyrequests", "429 too many"], "the registry does not allow so many pulls in this time (429)"),
    (&["x509:", "certificate"], "the registry's certificate is not trusted"),
    (&["server gave http response to https client"], "the registry does not answer in TLS"),
    // Before the login: containerd speaks of authorization whenever the token is not given.
    (&["no such host", "name resolution", "server misbehaving"], "the DNS does not know the registry's name"),
    (&["connection refused"], "nothing answers at the registry's port"),
    (&["no route to host", "network is unreachable"], "there is no route to the registry"),
    (&["500 internal", "502 bad gateway", "503 service", "504 gateway"], "the registry is out of order (5xx)"),
    (&["timeout", "deadline exceeded", "timed out"], "the registry does not answer in time"),
    (
        &["401 unauthorized", "unauthorized", "authorization failed", "authentication required"],
        "401 from the registry: the login is missing or refused",
    ),
    (
        &["403 forbidden", "access denied", "insufficient_scope", "access to the resource is denied"],
        "403 from the registry: the login may not read it, or the image is not there",
    ),
    (&["no space left"], "the disk of the container runtime is full"),
    (&["manifest unknown", "not found"], "the registry does not have it"),
    (&["present with pull policy of never", "errimageneverpull"], "it is not on this node, and must not be pulled"),
    (&["invalid reference", "couldn't parse image", "invalidimagename"], "its name is no image's"),
];

/// The most of the runtime's words that is shown, in characters.
const MOST: usize = 240;

/// What is said while nothing but the pause is known.
const PAUSE: &str = "it is tried again after a pause";

/// A sentence: which image cannot be pulled, why, and what the runtime said.
#[must_use]
pub fn not_pulled(image: &str, said: &str) -> String {
    // Until Kubernetes 1.31 it says no more than that.
    let pause = said.is_empty() || (said.starts_with("Back-off pulling image") && !said.contains(": Err"));
    if pause {
        return format!("{} {PAUSE}", beginning(image));
    }
    // Its own name says nothing of the cause.
    let lower = said.to_lowercase().replace(&image.to_lowercase(), "");
    let cause = CAUSES.iter().find(|(words, _)| words.iter().any(|word| lower.contains(word))).map(|(_, cause)| *cause);
    let mut shown: String = said.chars().take(MOST).collect();
    if shown.len() < said.len() {
        shown.push('…');
    }
    match cause {
        Some(cause) => format!("{} {cause} ({shown})", beginning(image)),
        None => format!("{} {shown}", beginning(image)),
    }
}

fn beginning(image: &str) -> String {
    format!("image {image} cannot be pulled:")
}

/// What was known of the same image, when the new sentence says no more than that it is paused.
#[must_use]
pub fn remembered(known: &str, new: &str) -> Option<String> {
    let image = new.strip_suffix(PAUSE)?;
    (known.starts_with(image) && known != new).then(|| known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_in_words() {
        let failed = r#"failed to pull and unpack image "r.org/x:1": failed to resolve reference "r.org/x:1": "#;
        for (said, cause) in [
            ("unexpected status from HEAD request to https://r.org/v2/x/manifests/1: 401 Unauthorized", "401 from the registry"),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
                "401 from the registry",
            ),
            (
                "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
                "401 from the registry",
            ),
            ("unexpected status from GET request to https://r.org/v2/: 403 Forbidden", "403 from the registry"),
            ("r.org/x:1: not found", "does not have it"),
            (
                "failed to authorize: failed to fetch anonymous token: Get \"https://auth/\": dial tcp: i/o timeout",
                "does not answer in time",
            ),
            ("failed to authorize: failed to fetch oauth token: unexpected status: 504 Gateway Time-out", "out of order"),
            ("failed to extract layer: open /x: permission denied", "failed to pull and unpack"),
            ("failed to do request: Head \"https://r.org/v2/\": dial tcp: lookup r.org: no such host", "the DNS does not know"),
            (
                "failed to do request: Head \"https://r.org/\": dial tcp 10.0.0.1:443: connect: connection refused",
                "nothing answers",
            ),
            ("failed to do request: Head \"https://r.org/\": dial tcp 10.0.0.1:443: i/o timeout", "does not answer in time"),
            (
                "failed to do request: tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "is not trusted",
            ),
            ("failed to do request: http: server gave HTTP response to HTTPS client", "does not answer in TLS"),
        ] {
            let sentence = not_pulled("r.org/x:1", &format!("{failed}{said}"));
            let begin = "image r.org/x:1 cannot be pulled: ";
            assert!(sentence.strip_prefix(begin).is_some_and(|rest| rest.contains(cause)), "{sentence}");
        }
        let named = not_pulled("r.org/timeout-certificate:1", "r.org/timeout-certificate:1: not found");
        assert!(named.contains("does not have it"), "{named}");
        let never = "Container image \"r.org/x:1\" is not present with pull policy of Never";
        assert!(not_pulled("r.org/x:1", never).contains("must not be pulled"));
        let long = not_pulled("r.org/x:1", &"ä".repeat(2000));
        assert!(long.chars().count() < 300 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn what_was_known_holds_while_it_is_paused() {
        let known = not_pulled("r/x:1", "401 Unauthorized");
        let pause = not_pulled("r/x:1", "Back-off pulling image \"r/x:1\"");
        assert_eq!(remembered(&known, &pause), Some(known.clone()));
        assert_eq!(remembered(&pause, &pause), None);
        assert_eq!(remembered(&known, &not_pulled("r/y:1", "")), None, "another image");
        assert_eq!(remembered(&pause, &known), None);
        // Newer kubelets say it again.
        let again = not_pulled("r/x:1", "Back-off pulling image \"r/x:1\": ErrImagePull: 401 Unauthorized");
        assert!(again.contains("401 from the registry"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_said_panics(image in "\\PC{0,80}", said in "\\PC{0,600}") {
            let sentence = not_pulled(&image, &said);
            proptest::prop_assert!(remembered(&sentence, &sentence).is_none());
        }
    }
}
