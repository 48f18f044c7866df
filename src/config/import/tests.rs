use super::*;

fn of(text: &str) -> Import {
    import("test", text.as_bytes()).unwrap()
}

/// Key and value of what is carried over.
fn values(text: &str) -> Vec<String> {
    let fragment = of(text).fragment;
    let mut table = String::new();
    let mut values = Vec::new();
    for line in fragment.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix('[') {
            Some(name) => table = name.trim_end_matches(']').to_owned(),
            None => values.push(format!("{table}.{line}")),
        }
    }
    values
}

fn not_carried(text: &str) -> Vec<String> {
    of(text).unmapped.iter().map(report::unmapped).collect()
}

fn advice(text: &str) -> String {
    of(text).advice.join("\n")
}

#[test]
fn which_assignment_counts() {
    let table = [
        // A later one wins, also one that is built from the first.
        ("DOMAIN=a.b\nDOMAIN=c.d\n", "c.d"),
        ("set -e\nDOMAIN=a.b\nDOMAIN=c.d\n", "c.d"),
        ("DOMAIN=a.b\nDOMAIN=\"x-$DOMAIN\"\n", "x-a.b"),
        ("DOMAIN=a.b\nDOMAIN+=.c\n", "a.b.c"),
        ("DOMAIN=a.b\nDOMAIN=${DOMAIN:-c.d}\n", "a.b"),
        ("DOMAIN=\nDOMAIN=${DOMAIN:-c.d}\n", "c.d"),
        ("DOMAIN=$(x)\nDOMAIN=c.d\n", "c.d"),
        ("if x; then DOMAIN=a.b; fi\nDOMAIN=c.d\n", "c.d"),
        ("DOMAIN=a.b\nunset DOMAIN\nDOMAIN=c.d\n", "c.d"),
        (": ${DOMAIN:=a.b}\n", "a.b"),
        ("DOMAIN=a.b\n: ${DOMAIN:=c.d}\n", "a.b"),
        // References.
        ("HOST=a\nDOMAIN=$HOST.b\n", "a.b"),
        ("HOST=a\nDOMAIN=${HOST:+x}.b\n", "x.b"),
        ("DOMAIN=${HOST-a}.b\n", "a.b"),
        ("HOST=\nDOMAIN=x${HOST-a}.b\n", "x.b"),
        // Not what stands under a condition, in a function or in a here-document.
        ("DOMAIN=a.b\nif x; then DOMAIN=c.d; fi\n", "a.b"),
        ("DOMAIN=a.b\nx && DOMAIN=c.d\n", "a.b"),
        ("DOMAIN=a.b\nfor x in y; do DOMAIN=c.d; done\n", "a.b"),
        ("DOMAIN=a.b\nf() { DOMAIN=c.d; }\n", "a.b"),
        ("DOMAIN=a.b\ncat <<E\nDOMAIN=c.d\nE\n", "a.b"),
        ("set -e\nDOMAIN=a.b\nDOMAIN=c.d x\n", "a.b"),
        ("set -e\nDOMAIN=a.b\nDOMAIN=c.d &\n", "a.b"),
        ("DOMAIN=a.b\nwhile [ $# -gt 0 ]; do DOMAIN=$2; done\n", "a.b"),
        // A helper function changes nothing about where the settings stand.
        ("f() { :; }\nDOMAIN=a.b\n", "a.b"),
        ("f() { echo \"$@\"; }\nHOST=a\nDOMAIN=$HOST.b\n", "a.b"),
        ("DOMAIN=a.b\nf() { :; }\nDOMAIN=c.d\n", "c.d"),
        ("f() { DEV_MODE=true; }\nDEV_MODE=false\nDOMAIN=a.b\n", "a.b"),
        // The function that sets most is the one of the settings; the top level is run besides.
        ("settings() { DEV_MODE=no; HOST=a; local tld=b; DOMAIN=$HOST.$tld; }\nDEV_MODE=no\n", "a.b"),
        ("DOMAIN=a.b\nf() { DEV_MODE=no; HTTP_PORT=81; }\n", "a.b"),
        ("DOMAIN=\nf() { DEV_MODE=no; DOMAIN=a.b; }\n", "a.b"),
    ];
    for (text, expected) in table {
        let expected = format!("platform.domain = \"{expected}\"");
        assert!(values(text).contains(&expected), "for {text}: {:?}", values(text));
    }
}

#[test]
fn what_is_not_carried_over_says_why() {
    let table = [
        ("DOMAIN=$(hostname -f)", "DOMAIN (platform.domain), line 1: is the output of a command, which is not run"),
        ("\nDOMAIN=`hostname`", "DOMAIN (platform.domain), line 2: is the output of a command, which is not run"),
        ("DOMAIN=\nDOMAIN=$(hostname)", "DOMAIN (platform.domain), line 2: is the output of a command, which is not run"),
        ("HTTP_PORT=$((79 + 1))", "HTTP_PORT (network.http_port), line 1: is computed, and nothing is run"),
        ("FAST_DATA_DIR=$HOME/x", "FAST_DATA_DIR (data.fast_dir), line 1: refers to HOME, which the file does not set"),
        (
            "FAST_DATA_DIR=~/x",
            "FAST_DATA_DIR (data.fast_dir), line 1: begins with ~, the home directory of whoever ran the script",
        ),
        ("DOMAIN=$1", "DOMAIN (platform.domain), line 1: depends on how the script was called"),
        ("D=x.y\nDOMAIN=${D%.y}", "DOMAIN (platform.domain), line 2: is made out of D, and nothing is run"),
        (
            "D=/d\nif x; then D=/e; fi\nFAST_DATA_DIR=$D/f",
            "FAST_DATA_DIR (data.fast_dir), line 3: refers to D, which line 2 sets under a condition",
        ),
        ("D=$(x)\nFAST_DATA_DIR=$D/f", "FAST_DATA_DIR (data.fast_dir), line 2: refers to D, whose value is not known"),
        ("SLOW_DATA_DIR=(/a /b)", "SLOW_DATA_DIR (data.slow_dir), line 1: is an array, expected one value"),
        (
            "INSTANCE_NAME=Uni Klinik",
            "INSTANCE_NAME (platform.instance_name), line 1: is followed by another word; a value with blanks needs quotes",
        ),
        ("if x; then DOMAIN=a.b; fi", "DOMAIN (platform.domain), line 1: is set under a condition only"),
        ("DOMAIN=a.b\nDOMAIN=$(hostname -f)\n", "DOMAIN (platform.domain), line 2: is the output of a command, which is not run"),
        ("DOMAIN=a.b\nDOMAIN=${DOMAIN%.*}\n", "DOMAIN (platform.domain), line 2: is made out of DOMAIN, and nothing is run"),
        ("DOMAIN=$(x)\nDOMAIN=x$DOMAIN\n", "DOMAIN (platform.domain), line 1: is the output of a command, which is not run"),
        ("DOMAIN=$(x)\nDOMAIN=${DOMAIN:-a.b}", "DOMAIN (platform.domain), line 1: is the output of a command, which is not run"),
        ("f() { DOMAIN=a.b; }\nDEV_MODE=no\nHTTP_PORT=81", "DOMAIN (platform.domain), line 1: is set in the function f only"),
        (
            "f() { DOMAIN=a.b; }\ng() { DOMAIN=$1; }\nDEV_MODE=no",
            "DOMAIN (platform.domain), line 1: is set in the functions f and g only",
        ),
        ("\"f x\" () { DOMAIN=a.b; }\nDEV_MODE=no", "DOMAIN (platform.domain), line 1: is set in a function only"),
        ("DOMAIN=\nf() { DOMAIN=$(hostname); }", "DOMAIN (platform.domain), line 2: is set in the function f only"),
        (
            "f() { DOMAIN=a.b; DEV_MODE=no; }\nDOMAIN=c.d",
            "DOMAIN (platform.domain), line 1: has several values, lines 1 and 2, and which one counts is not known",
        ),
        (
            "f() { DOMAIN=a.b; DEV_MODE=no; }\ng() { DOMAIN=c.d; }",
            "DOMAIN (platform.domain), line 1: has several values, lines 1 and 2, and which one counts is not known",
        ),
        (
            "DOMAIN=a.b\nf() { DOMAIN=$(hostname); }\ng() { f; }\ng",
            "DOMAIN (platform.domain), line 1: has several values, lines 1 and 2, and which one counts is not known",
        ),
        (
            "if [ -f /x ]; then SMTP_PASSWORD=\"$(cat /x)\"; fi",
            "SMTP_PASSWORD (smtp.password), line 1: is set under a condition only",
        ),
        (
            "SMTP_PASSWORD=\n[ -f /x ] && SMTP_PASSWORD=\"$(cat /x)\"",
            "SMTP_PASSWORD (smtp.password), line 2: is set under a condition only",
        ),
        (
            "case $(hostname) in\na) DOMAIN=a.b ;;\n*) DOMAIN=c.d ;;\nesac",
            "DOMAIN (platform.domain), line 2: is set in a loop, a case, a subshell or the background only",
        ),
        ("( DOMAIN=a.b )", "DOMAIN (platform.domain), line 1: is set in a loop, a case, a subshell or the background only"),
        ("x\nDOMAIN=a&b", "DOMAIN (platform.domain), line 2: is set in a loop, a case, a subshell or the background only"),
        (
            "for DOMAIN in a b; do x; done",
            "DOMAIN (platform.domain), line 1: is set in a loop, a case, a subshell or the background only",
        ),
        ("while [ $# -gt 0 ]; do\nDOMAIN=x\ndone", "DOMAIN (platform.domain), line 2: depends on how the script was called"),
        ("read -p x DOMAIN", "DOMAIN (platform.domain), line 1: is asked for by the script"),
        ("FAST_DATA_DIR[0]=/x", "FAST_DATA_DIR (data.fast_dir), line 1: is an array, expected one value"),
        (
            "SMTP_PASSWORD=Abc&def",
            "SMTP_PASSWORD (smtp.password), line 1: is followed by a character that means something to a shell; quote it",
        ),
        (
            "SMTP_PASSWORD=Abc;def",
            "SMTP_PASSWORD (smtp.password), line 1: is followed by a character that means something to a shell; quote it",
        ),
        (
            "SMTP_PASSWORD=Abc<def",
            "SMTP_PASSWORD (smtp.password), line 1: is followed by a character that means something to a shell; quote it",
        ),
        ("HTTPS_PORT = 8443", "HTTPS_PORT (network.https_port), line 1: is followed by a blank or a colon, expected KEY=value"),
        ("x\nHTTPS_PORT =8443", "HTTPS_PORT (network.https_port), line 2: is followed by a blank or a colon, expected KEY=value"),
        ("FAST_DATA_DIR: /x", "FAST_DATA_DIR (data.fast_dir), line 1: is followed by a blank or a colon, expected KEY=value"),
        (
            "HTTPS_PORT=81\nHTTPS_PORT = 82",
            "HTTPS_PORT (network.https_port), line 2: is followed by a blank or a colon, expected KEY=value",
        ),
        (
            "export HTTPS_PORT = 8443",
            "HTTPS_PORT (network.https_port), line 1: is followed by a blank or a colon, expected KEY=value",
        ),
        (
            "INSTANCE_UID=two\nFAST_DATA_DIR=/d\nFAST_DATA_DIR=$FAST_DATA_DIR/$INSTANCE_UID",
            "FAST_DATA_DIR (data.fast_dir), line 3: is built with INSTANCE_UID, which the agent puts on itself, but in another way",
        ),
        (
            "CHART_PATH=./x.tgz",
            "CHART_PATH (deployment.chart_path), line 1: found the string \"./x.tgz\", expected an absolute path in quotes; a path that is not absolute depends on where the script was started",
        ),
        (
            "DEV_MODE=perhaps",
            "DEV_MODE (deployment.dev_mode), line 1: found the string \"perhaps\", expected true or false (without quotes)",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(not_carried(text), [expected], "for {text}");
        assert!(!of(text).is_complete(), "for {text}");
    }
}

#[test]
fn values_get_the_type_of_their_key() {
    let table = [
        ("DEV_MODE=True", "deployment.dev_mode = true"),
        ("DEV_MODE=\"no\"", "deployment.dev_mode = false"),
        ("DEV_MODE=1", "deployment.dev_mode = true"),
        ("GPU_SUPPORT=False", "deployment.gpu_support = false"),
        ("set -e\nGPU_SUPPORT=false", "deployment.gpu_support = \"auto\""),
        ("set -e\nGPU_SUPPORT=true", "deployment.gpu_support = true"),
        ("FAST_DATA_DIR=/data\nFAST_DATA_DIR=\"${FAST_DATA_DIR}/fast\"", "data.fast_dir = \"/data/fast\""),
        ("GPU_OPERATOR_VERSION=v25.3.0", "deployment.gpu_operator_version = \"v25.3.0\""),
        ("REPLICA_COUNT=1", "storage.replica_count = 1"),
        ("set -e\nREPLICA_COUNT=2", "storage.replica_count = 2"),
        ("GPU_SUPPORT=auto", "deployment.gpu_support = \"auto\""),
        ("NO_HOOKS=--no-hooks", "deployment.no_hooks = true"),
        ("HTTPS_PORT=' 8443 '", "network.https_port = 8443"),
        ("MOUNT_POINTS_TO_MONITOR=/a", "data.mount_points_to_monitor = [\"/a\"]"),
        ("MOUNT_POINTS_TO_MONITOR='/a, /b'", "data.mount_points_to_monitor = [\"/a\", \"/b\"]"),
        ("CONTAINER_REGISTRY_URL=OCI://r.org/k/", "registry.url = \"r.org/k\""),
        ("STORAGE_PROVIDER=driver.longhorn.io", "storage.provider = \"longhorn\""),
        ("STORAGE_PROVIDER=microk8s", "storage.provider = \"hostpath\""),
        ("VOLUME_SLOW_DATA=2Ti", "storage.volume_slow_data = \"2Ti\""),
        ("INSTANCE_NAME='a \"b\" \\c'", "platform.instance_name = 'a \"b\" \\c'"),
        ("http_proxy=http://p:1", "deployment.http_proxy = \"http://p:1\""),
    ];
    for (text, expected) in table {
        assert_eq!(values(text), [expected], "for {text}");
    }
}

#[test]
fn keys_of_other_releases_are_left_out_and_named() {
    let keys = |version: &str| {
        values(&format!("PLATFORM_VERSION={version}\nENABLE_NFS=true\nJOBS_NAMESPACE=jobs\nREPLICA_COUNT=2\n")).len()
    };
    assert_eq!((keys("0.2.0"), keys("0.5.1"), keys("0.6.0")), (3, 2, 2));
    assert_eq!(keys("7.1.0"), 4, "of a release that is not known nothing is said");
    let not_needed = of("PLATFORM_VERSION=0.6.0\nENABLE_NFS=true\n").not_needed;
    assert_eq!(not_needed[0].reason, "exists only in the releases 0.2, 0.3, 0.4, 0.5");
}

#[test]
fn a_registry_without_https_is_told() {
    let plain = "over plain HTTP";
    for (text, plain_http) in [
        ("CONTAINER_REGISTRY_URL=http://r.org", true),
        ("CONTAINER_REGISTRY_URL=https://r.org", false),
        ("CONTAINER_REGISTRY_URL=http://r.org\nPLAIN_HTTP=", true),
        ("CONTAINER_REGISTRY_URL=http://r.org\nPLAIN_HTTP=false", false),
        ("CONTAINER_REGISTRY_URL=http://r.org\nPLAIN_HTTP=$(x)", false),
        ("PLAIN_HTTP=true", true),
        ("PLAIN_HTTP=false", false),
    ] {
        assert_eq!(values(text).contains(&"registry.plain_http = true".to_owned()), plain_http, "{text}");
        assert_eq!(advice(text).contains(plain), plain_http, "{text}");
    }
    assert!(of("CONTAINER_REGISTRY_URL=http://r.org").fragment.contains("line 1; its http:// says so\nplain_http = true\n"));
}

/// Variables of the script of which something is said.
fn accounted(import: &Import) -> Vec<String> {
    let others = import.unmapped.iter().chain(&import.not_needed).map(|one| one.variable.clone());
    import.mapped.iter().map(|one| one.variable.clone()).chain(others).chain(import.empty.clone()).collect()
}

#[test]
fn what_a_value_may_be_replaced_by_is_told() {
    for (text, told) in [
        ("DOMAIN=a.b\nif x; then DOMAIN=$(hostname); fi", "on line 2, which stands under a condition: the value of line 1"),
        ("DOMAIN=a.b\nif x; then DOMAIN=c.d; fi", "on line 2, which stands under a condition: the value of line 1"),
        ("DOMAIN=a.b\ncase x in y) DOMAIN=c.d;; esac", "on line 2, which stands in a loop, a case, a subshell"),
        ("DOMAIN=a.b\nf() { DOMAIN=c.d; }", "on line 2, which stands in the function f: the value of line 1"),
        ("DOMAIN=a.b\nif x; then unset DOMAIN; fi", "on line 2, which stands under a condition: the value of line 1"),
        (
            "INSTANCE_UID=two\nFAST_DATA_DIR=/d\nFAST_DATA_DIR=\"$FAST_DATA_DIR-$INSTANCE_UID\"",
            "on line 3, which puts on the instance's identifier, as the agent does itself: the value of line 2",
        ),
        ("x\nDOMAIN=a.b y", "DOMAIN is set for one command only on line 2"),
    ] {
        assert!(advice(text).contains(told), "for {text}: {}", advice(text));
        assert_eq!(not_carried(text), [""; 0], "for {text}");
    }
    for text in [
        "DOMAIN=a.b\nif x; then DOMAIN=a.b; fi",
        "if x; then DOMAIN=c.d; fi\nDOMAIN=a.b",
        "DOMAIN=a.b\nf() { local DOMAIN; DOMAIN=c.d; }",
        "DOMAIN=a.b\nwhile [ $# -gt 0 ]; do case $1 in -d) DOMAIN=\"$2\";; esac; done",
        "SERVICES_NAMESPACE=s\n[ -n \"$INSTANCE_UID\" ] && SERVICES_NAMESPACE=\"$INSTANCE_UID-$SERVICES_NAMESPACE\"",
    ] {
        assert!(!advice(text).contains("set again"), "for {text}: {}", advice(text));
    }
    let import = of("DOMAIN=a.b\nunset DOMAIN\nif x; then DEV_MODE=; fi");
    assert_eq!(import.empty, ["DOMAIN", "DEV_MODE"]);
}

#[test]
fn what_was_not_read_is_told_and_makes_it_incomplete() {
    let whole = "PLATFORM_VERSION=0.6.0\nDOMAIN=a.b\nCONTAINER_REGISTRY_URL=r.org\nDEV_MODE=false\n";
    for (text, told) in [
        (". ./site.env", "line 5 reads ./site.env, which is not followed: import that file, too"),
        ("if x; then source \"$HERE/x\"; fi", "line 5 reads \"$HERE/x\", which is not followed: import that file, too"),
        ("f() { source <(curl u:p@x); }", "line 5 reads another file, which is not followed: import that file, too"),
        ("eval \"$x\"", "line 5 runs a text as commands (eval), which are not seen"),
    ] {
        let import = of(&format!("{whole}{text}\n"));
        assert_eq!(import.unread, [told]);
        assert!(!import.is_complete() && import.problems.is_empty() && import.unmapped.is_empty());
        assert!(import.fragment.contains(told) && report::report("x", &import).contains(told));
    }
    assert!(of(&format!("{whole}. /etc/os-release\n")).is_complete());
}

#[test]
fn no_name_of_the_script_gets_into_the_fragment_or_the_terminal() {
    let evil = [
        "function \"a\npre_takedown = '/tmp/evil'\n#\" () { DOMAIN=a.b; DEV_MODE=no; }\n",
        "DOMAIN=a.b\nfunction \"a\npre_takedown = '/tmp/evil'\n#\" () { DOMAIN=c.d; HTTP_PORT=81; }\n",
        "DOMAIN=a.b\nf\u{1b}[2J() { DOMAIN=c.d; }\n. \"x\u{1b}[2J\"\n",
        "DOMAIN='a\u{1b}[2J'\nFAST_DATA_DIR=\"/\u{1b}\n[deployment]\npre_takedown='/x'\"\n",
    ];
    for text in evil {
        let import = import("n\nx = 1\u{1b}", text.as_bytes()).unwrap();
        only_what_was_carried_over(&import);
        let report = report::report("n\nx = 1\u{1b}", &import);
        assert!(!import.fragment.contains('\u{1b}') && !report.contains('\u{1b}'), "{}\n{report}", import.fragment);
    }
}

fn only_what_was_carried_over(import: &Import) {
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("/x.toml"), &import.fragment).unwrap();
    let keys: Vec<&str> = fragments.entries.keys().map(String::as_str).collect();
    let mut mapped: Vec<&str> = import.mapped.iter().map(|mapped| mapped.key).collect();
    mapped.sort_unstable();
    assert_eq!(keys, mapped, "{}", import.fragment);
}

#[test]
fn advice_names_what_a_person_should_know() {
    assert!(advice("DEV_MODE=true").contains("dev_mode is true:"));
    assert!(advice("PLATFORM_VERSION=0.6.0").contains("dev_mode is true by default"));
    assert!(!advice("DEV_MODE=false").contains("dev_mode is true"));
    assert!(
        advice("GRAFANA_PASSWORD=admin")
            .contains("default passwords, which everybody can look up: credentials.grafana.password;")
    );
    assert!(
        advice("DOMAIN=a.b").contains("credentials.minio.password, credentials.grafana.password, credentials.keycloak.password;")
    );
    assert!(advice("SMTP_PASSWORD=Planted1").contains("the fragment holds passwords: smtp.password; better"));
    assert!(advice("SMTP_PASSWORD=Planted1").contains("/etc/kaapana/credentials/smtp.password"));
    let proxy = of("http_proxy=http://u:planted@p:1");
    assert!(proxy.holds_passwords && proxy.fragment.contains("# Holds passwords"));
    assert!(proxy.advice.join("").contains("holds a password: deployment.http_proxy"));
    assert!(!of("http_proxy=http://p:1").holds_passwords);
    assert!(advice("SMTP_PASSWORD='a b'").contains("can be taken over with it"));
    assert!(advice("GPU_SUPPORT=false").contains("\"auto\""));
    assert!(
        advice("INSTANCE_UID=two\nSERVICES_NAMESPACE=two-services\nFAST_DATA_DIR=/d-two\n").matches("once more").count() == 2
    );
    assert!(advice("PLATFORM_VERSION=7.1.0").contains("Kaapana 7.1.0 are not known"));
    assert!(advice("DOMIAN=a.b").contains("DOMIAN (line 1, did you mean DOMAIN?)"));
    assert!(advice("set -e\nx=1\nQUIET=NA\n").starts_with("test sets no variable"));
    assert!(!advice("DOMAIN=$(x)").contains("the right file"), "what is not carried over is told already");
    let many: String = (0..30).map(|number| format!("SITE_{number}=x\n")).collect();
    assert!(advice(&many).contains("SITE_9 (line 10) and 20 more"));
}

#[test]
fn a_file_that_is_no_script_is_refused() {
    assert_eq!(import("x", b"A=1\nB=\0\n").unwrap_err(), ImportError::Binary { line: 2 });
    assert_eq!(import("x", &vec![b'#'; 1024 * 1024 + 1]).unwrap_err(), ImportError::TooLarge);
    let error = import("x", b"DOMAIN=a.b\nX='\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: a single quote is opened here and never closed");
}

#[test]
fn what_cannot_be_read_behind_the_settings_does_no_harm() {
    let import = of("DOMAIN=a.b\nf() {\n echo '\n}\n");
    let told = "line 3: a single quote is opened here and never closed; what follows was not read";
    assert_eq!(import.unread, [told]);
    assert!(!import.is_complete());
    assert_eq!(import.mapped.len(), 1);
    let in_a_function = "f() { :; }\ns() {\nDOMAIN=a.b\nDEV_MODE=no\n}\necho '\n";
    assert_eq!(of(in_a_function).mapped.len(), 2);
    assert!(super::import("x", b"s() {\nDOMAIN=a.b\nDEV_MODE='no\n}\n").is_err());
}

#[test]
fn files_of_other_systems_are_read() {
    let dos = "\u{feff}#!/bin/bash\r\nDOMAIN=\"a.b\"\r\nHTTPS_PORT=8443 # x\r\nDEV_MODE=no";
    assert_eq!(values(dos), ["platform.domain = \"a.b\"", "deployment.dev_mode = false", "network.https_port = 8443"]);
    // Latin-1 in a comment is no matter, in a value it is.
    let latin = import("x", b"# f\xfcr uns\nDOMAIN=a.b\nINSTANCE_NAME=\"K\xf6ln\"\n").unwrap();
    assert_eq!(latin.mapped.len(), 1);
    assert_eq!(report::unmapped(&latin.unmapped[0]), "INSTANCE_NAME (platform.instance_name), line 3: is not UTF-8 text");
}

#[test]
fn a_whole_configuration_is_complete_and_valid() {
    let text = "PLATFORM_VERSION=0.6.0\nDOMAIN=a.b\nCONTAINER_REGISTRY_URL=r.org\nDEV_MODE=false\n";
    let import = of(text);
    assert!(import.is_complete(), "{import:?}");
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("/x.toml"), &import.fragment).unwrap();
    assert_eq!(validate(&fragments).unwrap().unwrap().text("platform.domain"), "a.b");
    assert!(!of("PLATFORM_VERSION=0.6.0\nDOMAIN=a.b\n").is_complete(), "without a registry");
}

#[test]
fn nothing_that_is_told_holds_a_secret() {
    assert!(!format!("{:?}", of("SMTP_PASSWORD=Planted1")).contains("Planted1"));
    for value in ["Planted1", "7planted#x", "planted word", "pl\\nanted", "planted\u{7}", "\"planted\""] {
        let text = format!(
            "DOMAIN=a.b\nSMTP_PASSWORD='{value}'\nhttp_proxy='http://u:{value}@p:1'\nCONTAINER_REGISTRY_URL='https://u:{value}@r.org'\n\
             GRAFANA_PASSWORD=\"${{NONE:-{}}}\"\nFAST_DATA_DIR='u:{value}@x'\n",
            value.replace('"', "")
        );
        let mut import = of(&text);
        let fragment = std::mem::take(&mut import.fragment);
        let told = format!("{import:?} {}", report::report("x", &import));
        assert!(!told.to_lowercase().contains("planted") && !told.contains("anted"), "{told}");
        let comments: Vec<_> = fragment.lines().filter(|line| line.starts_with('#')).collect();
        assert!(!comments.join("").contains("anted"), "{fragment}");
    }
}

#[test]
fn no_command_of_the_script_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made").display().to_string();
    let text = format!(
        "A=$(touch {path})\nDOMAIN=`touch {path}`\nB=\"${{C:-$(touch {path})}}\"\ntouch {path}\nX=<(touch {path})\nE=$((a[$(touch {path})]))\n"
    );
    of(&text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn raw_value(fragment: &str, key: &str) -> Option<Raw> {
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("/x.toml"), fragment).unwrap();
    fragments.entries.get(key).map(|entry| entry.raw.clone())
}

proptest::proptest! {
    #[test]
    fn any_quoted_value_comes_through(value in "[^'\u{0}\r]{0,40}", text in proptest::prelude::any::<bool>()) {
        proptest::prop_assume!(!value.trim().is_empty());
        let (variable, key) = if text { ("SMTP_USERNAME", "smtp.username") } else { ("SMTP_PASSWORD", "smtp.password") };
        let import = import("x", format!("{variable}='{value}'").as_bytes()).unwrap();
        match raw_value(&import.fragment, key) {
            Some(raw) => proptest::prop_assert_eq!(raw, Raw::String(value)),
            None => proptest::prop_assert!(text && value.chars().any(char::is_control)),
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        import("x", &bytes).ok();
    }

    #[test]
    fn every_fragment_is_toml(lines in proptest::collection::vec(
        ("(DOMAIN|FAST_DATA_DIR|HTTP_PORT|DEV_MODE|GRAFANA_PASSWORD|MOUNT_POINTS_TO_MONITOR|CONTAINER_REGISTRY_URL|X)", "[ -~\n\u{e4}]{0,20}"), 0..8)
    ) {
        let text: String = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        if let Ok(import) = import("a\nb", text.as_bytes()) {
            only_what_was_carried_over(&import);
        }
    }

    #[test]
    fn of_every_variable_that_is_assigned_something_is_said(pieces in proptest::collection::vec((
        proptest::sample::select(vec!["", "if x; then ", "x && ", "case x in y) ", "f() { ", "( ", "for x in y; do ", "export ", "{ "]),
        proptest::sample::select(vec!["DOMAIN", "FAST_DATA_DIR", "SMTP_PASSWORD", "DEV_MODE", "SERVICES_NAMESPACE"]),
        proptest::sample::select(vec![
            "=x", "=", "=$(x)", "=/a;b", "=/a&b", "=/a|b", " = x", ": x", "=$1", "=\"$DOMAIN\"", "=\"$INSTANCE_UID-$DOMAIN\"", "+=/b",
            "=\"${DOMAIN:-a}\"", "=${DOMAIN%.*}", "=(a b)", "[1]=a", "=~/x", "=<x", "= # x",
        ]),
    ), 1..6)) {
        let mut text = String::new();
        for (before, name, value) in &pieces {
            let after = match before.split(' ').next().unwrap() {
                "if" => "fi",
                "case" => "esac",
                "f()" | "{" => "}",
                "(" => ")",
                "for" => "done",
                _ => "",
            };
            text += &format!("{before}{name}{value}\n{after}\n");
        }
        let import = of(&text);
        for (_, name, _) in &pieces {
            proptest::prop_assert!(accounted(&import).contains(&(*name).to_owned()), "{} of {:?} {:?}", name, text, import);
        }
    }
}
